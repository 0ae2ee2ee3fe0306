// R18 R26: the model of a chat is remembered for its person alone.
import { expect, it } from "vitest";
import { endSession, startSession } from "@/api/session";
import { clearUserStorage } from "@/lib/user-storage";
import { aTokenPair, aUser } from "@/testing/factories";
import { chooseModel, chosenModel, rememberModel, useModelChoices } from "./model-choice";

it("R26 sticks to its chat, outlives a reload, and goes with its person", () => {
  const dana = aUser();
  startSession(aTokenPair(dana));
  chooseModel("chat-1", "openai/mini");
  chooseModel("chat-2", "google/flash");
  chooseModel("chat-2", undefined);
  for (const model of ["a", "b", "c", "d", "e", "f", "b"]) rememberModel(model);
  endSession();
  expect(chosenModel("chat-1")).toBeUndefined();
  startSession(aTokenPair(aUser()));
  expect(chosenModel("chat-1")).toBeUndefined();
  startSession(aTokenPair(dana));
  expect(chosenModel("chat-1")).toBe("openai/mini");
  expect(chosenModel("chat-2")).toBeUndefined();
  expect(useModelChoices.getState().recent).toEqual(["b", "f", "e", "d", "c"]);
  endSession();
  clearUserStorage(dana.id);
  startSession(aTokenPair(dana));
  expect(chosenModel("chat-1")).toBeUndefined();
});

it("R26 keeps the last fifty chats", () => {
  startSession(aTokenPair(aUser()));
  for (let chat = 0; chat < 60; chat += 1) chooseModel(`chat-${chat}`, "openai/mini");
  expect(chosenModel("chat-9")).toBeUndefined();
  expect(chosenModel("chat-10")).toBe("openai/mini");
  expect(chosenModel("chat-59")).toBe("openai/mini");
});
