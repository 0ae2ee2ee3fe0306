// The things the server speaks of, named as the contract names them; their shapes are generated from its document.
import type { components } from "./schema.gen";

type Schemas = components["schemas"];

export type Role = Schemas["Role"];
export type User = Schemas["User"];
export type TokenPair = Schemas["TokenPair"];
export type SetupStatus = Schemas["SetupStatus"];

export type Assistant = Schemas["Assistant"];
export type AssistantList = Schemas["AssistantList"];
export type AssistantCreate = Schemas["AssistantCreate"];
export type AssistantUpdate = Schemas["AssistantUpdate"];

export type FileStatus = Schemas["FileStatus"];
export type KnowledgeFile = Schemas["KnowledgeFile"];
export type FileList = Schemas["FileList"];
export type ExtractedText = Schemas["ExtractedText"];

export type Conversation = Schemas["Conversation"];
export type ConversationList = Schemas["ConversationList"];

export type Citation = Schemas["Citation"];
export type TokensUsed = Schemas["TokensUsed"];
export type MessageStatus = Schemas["MessageStatus"];
export type FinishReason = Schemas["FinishReason"];
export type Retrieval = Schemas["Retrieval"];
export type Message = Schemas["Message"];
export type MessageList = Schemas["MessageList"];
export type Exchange = Schemas["Exchange"];

export type Model = Schemas["Model"];
export type ModelList = Schemas["ModelList"];

export type ErrorDetail = Schemas["ErrorDetail"];
export type ErrorBody = Schemas["ErrorBody"];
