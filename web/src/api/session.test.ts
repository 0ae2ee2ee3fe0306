// The access token is renewed once for many callers, and a session that has ended waits for the person.
import { HttpResponse, http } from "msw";
import { describe, expect, it } from "vitest";
import { aTokenPair, aUser } from "@/testing/factories";
import { refuse, server, url } from "@/testing/server";
import { api } from "./client";
import { ApiError } from "./error";
import { currentToken, endSession, refreshSession, startSession, useSession } from "./session";

const dana = aUser();

/** Accepts only `token`; everything else has run out. */
function guarded(token: string) {
  return http.get(url("/users/me"), ({ request }) =>
    request.headers.get("Authorization") === `Bearer ${token}`
      ? HttpResponse.json(dana)
      : refuse(401, { error: "AuthenticationError", message: "Token expired" }),
  );
}

describe("session", () => {
  it("renews an expired token once, however many requests wait for it", async () => {
    let refreshes = 0;
    let csrf: string | null = null;
    server.use(
      guarded("new"),
      http.post(url("/users/refresh"), ({ request }) => {
        refreshes += 1;
        csrf = request.headers.get("X-AIAcross-CSRF");
        return HttpResponse.json(aTokenPair(dana, "new"));
      }),
    );
    startSession(aTokenPair(dana, "old"));
    const answers = await Promise.all([1, 2, 3, 4].map(() => api.get<{ id: string }>("/users/me")));
    expect(answers.map((answer) => answer.id)).toEqual([dana.id, dana.id, dana.id, dana.id]);
    expect(refreshes).toBe(1);
    expect(csrf).toBe("1");
    expect(currentToken()).toBe("new");
  });

  it("R17 a session that has ended asks the person and then goes on with the request", async () => {
    server.use(guarded("after sign-in"));
    startSession(aTokenPair(dana, "old"));
    const answer = api.get<{ id: string }>("/users/me");
    await expect.poll(() => useSession.getState().status).toBe("expired");
    startSession(aTokenPair(dana, "after sign-in"));
    await expect(answer).resolves.toMatchObject({ id: dana.id });
  });

  it("signing out instead fails what was waiting", async () => {
    server.use(guarded("never"));
    startSession(aTokenPair(dana, "old"));
    const answer = api.get("/users/me");
    const failure = expect(answer).rejects.toMatchObject({ status: 401 });
    await expect.poll(() => useSession.getState().status).toBe("expired");
    endSession();
    await failure;
  });

  it("a server that cannot be asked does not end the session", async () => {
    server.use(http.post(url("/users/refresh"), () => HttpResponse.error()));
    startSession(aTokenPair(dana, "old"));
    await expect(refreshSession()).rejects.toMatchObject({ status: 0, code: "NetworkError" });
    expect(useSession.getState().status).toBe("signed-in");
  });

  it("a proxy's page in place of an answer becomes a plain error", async () => {
    server.use(http.get(url("/models"), () => HttpResponse.html("<h1>502 Bad Gateway</h1>", { status: 502 })));
    startSession(aTokenPair(dana));
    const error = await api.get("/models").catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({ status: 502, code: "ServiceUnavailableError" });
  });
});
