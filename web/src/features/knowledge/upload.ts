// Sends files with their real progress, two at a time, each of which can be cancelled. XHR, because fetch does not
// tell how much has gone out.
import { create } from "zustand";
import { apiUrl, authorized } from "@/api/client";
import { ApiError, errorFrom, networkError } from "@/api/error";
import { currentToken, useSession } from "@/api/session";
import type { KnowledgeFile } from "@/api/types";
import { newId } from "@/lib/idempotency";

/** As many as the server takes of one person; it refuses a third. */
const AT_ONCE = 2;

export interface Upload {
  readonly id: string;
  readonly assistantId: string;
  readonly file: File;
  readonly state: "waiting" | "sending" | "failed";
  /** 0 to 100, of the bytes that have left this browser. */
  readonly percent: number;
  readonly error: unknown;
}

export const useUploads = create<{ uploads: readonly Upload[] }>(() => ({ uploads: [] }));

/** Called with every file the server has taken. */
type Taken = (file: KnowledgeFile) => void;

const aborts = new Map<string, () => void>();
const callbacks = new Map<string, Taken>();

function change(id: string, fields: Partial<Upload>): void {
  useUploads.setState(({ uploads }) => ({
    uploads: uploads.map((upload) => (upload.id === id ? { ...upload, ...fields } : upload)),
  }));
}

/** Takes an upload off the list; what is still going out is cut. */
export function dropUpload(id: string): void {
  useUploads.setState(({ uploads }) => ({ uploads: uploads.filter((upload) => upload.id !== id) }));
  callbacks.delete(id);
  aborts.get(id)?.();
  aborts.delete(id);
  startWaiting();
}

export function dropAllUploads(): void {
  for (const upload of useUploads.getState().uploads) dropUpload(upload.id);
}

export function addUploads(assistantId: string, files: readonly File[], onTaken: Taken): void {
  const added = files.map((file): Upload => {
    const id = newId();
    callbacks.set(id, onTaken);
    return { id, assistantId, file, state: "waiting", percent: 0, error: null };
  });
  useUploads.setState(({ uploads }) => ({ uploads: [...uploads, ...added] }));
  startWaiting();
}

export function retryUpload(id: string): void {
  change(id, { state: "waiting", percent: 0, error: null });
  startWaiting();
}

/** Whether anything has not arrived yet: leaving would lose it. */
export function isUploading(): boolean {
  return useUploads.getState().uploads.some((upload) => upload.state !== "failed");
}

// Whoever signs in next must not find the last person's files.
useSession.subscribe(({ user }) => {
  if (user === null) dropAllUploads();
});

function startWaiting(): void {
  const { uploads } = useUploads.getState();
  const free = AT_ONCE - uploads.filter((upload) => upload.state === "sending").length;
  const next = uploads.filter((upload) => upload.state === "waiting").slice(0, Math.max(0, free));
  for (const upload of next) {
    change(upload.id, { state: "sending" });
    void run(upload);
  }
}

async function run(upload: Upload): Promise<void> {
  try {
    const taken = await authorized(() => send(upload));
    callbacks.get(upload.id)?.(taken);
    dropUpload(upload.id);
  } catch (error) {
    aborts.delete(upload.id);
    change(upload.id, { state: "failed", error });
    startWaiting();
  }
}

function send({ id, assistantId, file }: Upload): Promise<KnowledgeFile> {
  return new Promise((resolve, reject) => {
    const body = new FormData();
    // The server wants to know where the file belongs before it reads the file.
    body.append("assistant_id", assistantId);
    body.append("file", file);
    const xhr = new XMLHttpRequest();
    xhr.open("POST", apiUrl("/files"));
    xhr.setRequestHeader("Authorization", `Bearer ${currentToken() ?? ""}`);
    xhr.upload.onprogress = ({ loaded, total }) => {
      if (total > 0) change(id, { percent: Math.floor((loaded / total) * 100) });
    };
    xhr.onload = () => {
      if (xhr.status < 200 || xhr.status >= 300) {
        reject(errorFrom(xhr.status, (name) => xhr.getResponseHeader(name), xhr.responseText));
        return;
      }
      try {
        resolve(JSON.parse(xhr.responseText) as KnowledgeFile);
      } catch {
        reject(errorFrom(502, () => null, ""));
      }
    };
    xhr.onerror = () => reject(networkError());
    xhr.onabort = () => reject(networkError());
    aborts.set(id, () => xhr.abort());
    xhr.send(body);
  });
}

/** The id of the file that is already there, when that is why the server refused. */
export function duplicateOf(error: unknown): string | null {
  if (!(error instanceof ApiError) || error.status !== 409) return null;
  return error.details.find((detail) => detail.file_id !== undefined)?.file_id ?? null;
}
