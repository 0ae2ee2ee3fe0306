// One error type for everything that can go wrong between this tab and the server, and the sentence a person reads.
import type { T } from "@/i18n";
import type { ErrorBody, ErrorDetail } from "./types";

/** A refusal by the server, or `NetworkError` with status 0 when no answer came at all. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly requestId: string | undefined;
  readonly details: readonly ErrorDetail[];
  /** Seconds to wait before another try. */
  readonly retryAfter: number | undefined;

  constructor(status: number, body: ErrorBody, requestId?: string, retryAfter?: number) {
    super(body.message);
    this.name = "ApiError";
    this.status = status;
    this.code = body.error;
    this.requestId = body.request_id ?? requestId;
    this.details = body.details ?? [];
    this.retryAfter = body.retry_after ?? retryAfter;
  }
}

export function networkError(): ApiError {
  return new ApiError(0, { error: "NetworkError", message: "The server could not be reached." });
}

function isErrorBody(value: unknown): value is ErrorBody {
  return typeof value === "object" && value !== null && "error" in value && "message" in value;
}

/** Builds the error from a refused response's status, headers and text, whatever a proxy in between may have written. */
export function errorFrom(status: number, header: (name: string) => string | null, text: string): ApiError {
  const requestId = header("X-Request-Id") ?? undefined;
  const seconds = Number.parseInt(header("Retry-After") ?? "", 10);
  const retryAfter = Number.isFinite(seconds) ? seconds : undefined;
  let body: ErrorBody = { error: fallbackCode(status), message: `The server answered ${status}.` };
  try {
    const parsed: unknown = JSON.parse(text);
    if (isErrorBody(parsed)) body = parsed;
  } catch {
    // Not JSON: a proxy's page. The status alone then names the error.
  }
  return new ApiError(status, body, requestId, retryAfter);
}

function fallbackCode(status: number): string {
  if (status === 413) return "PayloadTooLargeError";
  if (status === 429) return "RateLimitError";
  if (status >= 502 && status <= 504) return "ServiceUnavailableError";
  return "InternalError";
}

/** The sentence to show: our own words where the error is general, the server's where only it knows the case. */
export function errorSentence(error: unknown, t: T): string {
  if (!(error instanceof ApiError)) return t("error.unexpected");
  switch (error.code) {
    case "NetworkError":
      return t("error.network");
    case "AuthenticationError":
      return t("error.signedOut");
    case "PermissionDeniedError":
      return t("error.forbidden");
    case "PasswordChangeRequiredError":
      return t("error.passwordDue");
    case "NotFoundError":
      return t("error.notFound");
    case "RequestTimeoutError":
      return t("error.timeout");
    case "PayloadTooLargeError":
      return t("error.tooLarge");
    case "PreconditionFailedError":
      return t("error.changedMeanwhile");
    case "RateLimitError":
      return error.retryAfter === undefined
        ? t("error.rateLimit")
        : t("error.rateLimitFor", { seconds: error.retryAfter });
    case "InternalError":
      return t("error.internal");
    case "ServiceUnavailableError":
      return t("error.unavailable");
    case "StorageFullError":
      return t("error.storageFull");
    default:
      return error.message;
  }
}

/** What an `ErrorState` shows of an error. */
export function errorParts(error: unknown, t: T): { message: string; requestId: string | undefined } {
  return { message: errorSentence(error, t), requestId: error instanceof ApiError ? error.requestId : undefined };
}
