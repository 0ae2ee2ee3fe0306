//! Knowledge files: streamed upload, lists, states, text, passages, another attempt, removal.

use across::{
    actor::Role,
    audit::Action,
    id::{AssistantId, FileId},
    knowledge::{
        file::{Filter, KnowledgeFile, Reprocess, Status},
        upload::Upload,
    },
};
use axum::{
    Json,
    body::Body as HttpBody,
    extract::{FromRequest as _, Multipart, Request, State, multipart::MultipartError},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    api::{
        assistants::search_term,
        stamp,
        words::{FileStatus, FileType},
    },
    auth::{By, Manager, Principal},
    error::{ApiError, ErrorBody, Kind},
    idempotency::{self, Claimed, KeyHeader},
    input::{Body, Ids, Params, id_field, page},
    middleware::as_this_request,
    state::AppState,
};

/// Bytes of a form field that is not the file, at most.
const MAX_FIELD: usize = 1024;

/// A knowledge file.
#[derive(Serialize, ToSchema)]
#[schema(as = KnowledgeFile)]
pub(crate) struct FileJson {
    #[schema(format = Uuid)]
    id: String,
    #[schema(format = Uuid)]
    assistant_id: String,
    filename: String,
    file_type: FileType,
    size_bytes: u64,
    sha256: String,
    chunk_count: u32,
    status: FileStatus,
    /// 0–100.
    progress: u8,
    /// Why it is in error, for people.
    #[schema(required)]
    error_message: Option<String>,
    #[schema(format = Uuid, required)]
    uploaded_by: Option<String>,
    created_at: String,
    updated_at: String,
}

impl From<KnowledgeFile> for FileJson {
    fn from(file: KnowledgeFile) -> Self {
        Self {
            id: file.id.to_string(),
            assistant_id: file.assistant.to_string(),
            filename: file.filename,
            file_type: file.kind.into(),
            size_bytes: file.size,
            sha256: file.sha256,
            chunk_count: file.chunk_count,
            status: file.status.into(),
            progress: file.progress,
            error_message: file.error_message,
            uploaded_by: file.uploaded_by.map(|user| user.to_string()),
            created_at: stamp(file.created_at),
            updated_at: stamp(file.updated_at),
        }
    }
}

/// A page of files.
#[derive(Serialize, ToSchema)]
pub(crate) struct FileList {
    files: Vec<FileJson>,
    total: u64,
}

/// Which files.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Of this assistant only.
    assistant_id: Option<String>,
    /// In this state only.
    status: Option<String>,
    /// In the name, in any case.
    #[param(max_length = 100)]
    search: Option<String>,
    #[param(minimum = 1, maximum = 100)]
    limit: Option<i64>,
    #[param(minimum = 0, maximum = 100_000)]
    offset: Option<i64>,
}

/// Newest first.
#[utoipa::path(get, path = "/files", operation_id = "list_files", tag = "files",
    security(("bearer" = [])), params(ListQuery), responses(
    (status = 200, body = FileList), (status = 401, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn list(
    State(state): State<AppState>,
    principal: Principal,
    Params(query): Params<ListQuery>,
) -> Result<Json<FileList>, ApiError> {
    let assistant = query.assistant_id.map(|id| id_field("assistant_id", &id)).transpose()?;
    let unknown = || ApiError::field("status", "This is not a state of files.");
    let status = query
        .status
        .map(|name| Status::parse(&name).ok_or_else(unknown))
        .transpose()?;
    let include_archived = principal.actor.role >= Role::Manager;
    let filter = Filter {
        assistant,
        status,
        search: search_term(query.search)?,
        include_archived,
    };
    let found = state
        .platform
        .store
        .list_files(&filter, page(query.limit, query.offset, 20, 100)?)
        .await?;
    Ok(Json(FileList {
        files: found.items.into_iter().map(Into::into).collect(),
        total: found.total,
    }))
}

/// A file of an assistant.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the form is read as a stream; this only describes it")]
pub(crate) struct UploadForm {
    /// Before `file`.
    #[schema(format = Uuid)]
    assistant_id: String,
    /// PDF, DOCX, TXT, MD, PPTX, XLSX, CSV, HTML or EPUB of at most 25 MiB.
    #[schema(value_type = String, format = Binary, content_media_type = "application/octet-stream")]
    file: String,
}

/// Takes a file; its processing begins by itself.
#[utoipa::path(post, path = "/files", operation_id = "upload_file", tag = "files",
    security(("bearer" = [])), params(KeyHeader),
    request_body(content = UploadForm, content_type = "multipart/form-data"), responses((status = 201, body = FileJson),
    (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 409, body = ErrorBody), (status = 413, body = ErrorBody), (status = 415, body = ErrorBody), (status = 422, body = ErrorBody),
    (status = 507, body = ErrorBody)))]
pub(crate) async fn upload(
    State(state): State<AppState>,
    manager: Manager,
    By(doer): By,
    request: Request,
) -> Result<Response, ApiError> {
    let is_form = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    if !is_form.is_some_and(|kind| kind.to_ascii_lowercase().starts_with("multipart/form-data")) {
        return Err(ApiError::new(
            Kind::MEDIA_TYPE,
            "Send a form with Content-Type: multipart/form-data.",
        ));
    }
    let actor = manager.0.actor();
    let key = idempotency::request_key(request.headers(), actor, request.method(), request.uri().path())?;
    let form = Multipart::from_request(request, &()).await;
    let mut form = form.map_err(|error| ApiError::new(Kind::MALFORMED, error.body_text()))?;
    let mut assistant: Option<AssistantId> = None;
    let mut upload: Option<Upload> = None;
    while let Some(mut field) = form.next_field().await.map_err(malformed)? {
        match field.name().unwrap_or_default() {
            "assistant_id" if assistant.is_none() && upload.is_none() => {
                let mut text = Vec::new();
                while let Some(bytes) = field.chunk().await.map_err(malformed)? {
                    text.extend_from_slice(&bytes);
                    if text.len() > MAX_FIELD {
                        return Err(ApiError::field("assistant_id", "This is not an id."));
                    }
                }
                assistant = Some(id_field("assistant_id", String::from_utf8_lossy(&text).trim())?);
            }
            "file" if upload.is_none() => {
                let assistant =
                    assistant.ok_or_else(|| ApiError::field("assistant_id", "Send assistant_id before the file."))?;
                let name = field.file_name().unwrap_or_default().to_owned();
                let mut arriving = Upload::begin(&state.platform, manager.0, doer.clone(), assistant, &name).await?;
                while let Some(bytes) = field.chunk().await.map_err(malformed)? {
                    arriving.write(bytes).await?;
                }
                upload = Some(arriving);
            }
            name => {
                let name: String = name.chars().take(100).collect();
                return Err(ApiError::field(
                    &name,
                    "Send one assistant_id and then one file, nothing else.",
                ));
            }
        }
    }
    let upload = upload.ok_or_else(|| ApiError::field("file", "Send a file."))?;
    let Some(key) = key else { return recorded(upload).await };
    let mut content = upload.digest().to_vec();
    content.extend_from_slice(upload.filename().as_bytes());
    content.extend_from_slice(assistant.map(|id| id.to_string()).unwrap_or_default().as_bytes());
    match idempotency::claim(&state, key.clone(), &content).await? {
        Claimed::Done(answer) => Ok(idempotency::replayed(&state, &key, answer)),
        Claimed::Fresh(claim) => {
            // A client that goes away must not leave a file without the answer that its repetition will ask for.
            let work = as_this_request(async move {
                let response = recorded(upload).await.unwrap_or_else(ApiError::into_response);
                claim.keep(response).await
            });
            let done = state.platform.tasks.spawn(work).await;
            done.map_err(|error| ApiError::internal(format!("the task of an upload broke off: {error}")))
        }
    }
}

/// The answer to an upload whose bytes are all there.
async fn recorded(upload: Upload) -> Result<Response, ApiError> {
    let file = upload.finish().await?;
    let location = format!("/api/v1/files/{}", file.id);
    Ok((
        StatusCode::CREATED,
        [(header::LOCATION, location)],
        Json(FileJson::from(file)),
    )
        .into_response())
}

fn malformed(_error: MultipartError) -> ApiError {
    ApiError::new(Kind::MALFORMED, "The form did not arrive whole, or is not a form.")
}

/// A file that this person may see.
async fn visible(state: &AppState, principal: &Principal, id: FileId) -> Result<KnowledgeFile, ApiError> {
    let (file, archived) = state
        .platform
        .store
        .find_file(id)
        .await?
        .ok_or_else(ApiError::not_found)?;
    if archived && principal.actor.role < Role::Manager {
        return Err(ApiError::not_found());
    }
    Ok(file)
}

/// One file.
#[utoipa::path(get, path = "/files/{id}", operation_id = "get_file", tag = "files",
    security(("bearer" = [])), params(("id" = String, Path)), responses(
    (status = 200, body = FileJson), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn get(
    State(state): State<AppState>,
    principal: Principal,
    Ids((id,)): Ids<(FileId,)>,
) -> Result<Json<FileJson>, ApiError> {
    Ok(Json(visible(&state, &principal, id).await?.into()))
}

/// Where a file is.
#[derive(Serialize, ToSchema)]
pub(crate) struct FileProgress {
    #[schema(format = Uuid)]
    id: String,
    status: FileStatus,
    progress: u8,
    chunk_count: u32,
    #[schema(required)]
    error_message: Option<String>,
}

/// Where a file is on its way.
#[utoipa::path(get, path = "/files/{id}/status", operation_id = "get_file_status", tag = "files",
    security(("bearer" = [])), params(("id" = String, Path)), responses(
    (status = 200, body = FileProgress), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn status(
    State(state): State<AppState>,
    principal: Principal,
    Ids((id,)): Ids<(FileId,)>,
) -> Result<Json<FileProgress>, ApiError> {
    let file = visible(&state, &principal, id).await?;
    Ok(Json(FileProgress {
        id: file.id.to_string(),
        status: file.status.into(),
        progress: file.progress,
        chunk_count: file.chunk_count,
        error_message: file.error_message,
    }))
}

/// The file as it was uploaded; always to be saved, never to be shown.
#[utoipa::path(get, path = "/files/{id}/content", operation_id = "get_file_content", tag = "files",
    security(("bearer" = [])), params(("id" = String, Path)), responses(
    (status = 200, content((Vec<u8> = "application/pdf"), (Vec<u8> = "text/plain"), (Vec<u8> = "text/markdown"),
        (Vec<u8> = "text/csv"), (Vec<u8> = "text/html"), (Vec<u8> = "application/epub+zip"),
        (Vec<u8> = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        (Vec<u8> = "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
        (Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"))),
    (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn content(
    State(state): State<AppState>,
    principal: Principal,
    Ids((id,)): Ids<(FileId,)>,
) -> Result<Response, ApiError> {
    let file = visible(&state, &principal, id).await?;
    let bytes = state.platform.blobs.read(id).await?;
    let mut response = HttpBody::from_stream(bytes).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(file.kind.media_type()));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(file.size));
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("sandbox; default-src 'none'"),
    );
    if let Ok(disposition) = HeaderValue::from_str(&disposition(&file.filename)) {
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    Ok(response)
}

/// `attachment` with the name in both forms of RFC 6266: plain letters for old programs, UTF-8 for all others.
fn disposition(name: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ' ') {
            c
        } else {
            '_'
        }
    };
    let encode = |byte: u8| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_') {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    let ascii: String = name.chars().map(plain).collect();
    let utf8: String = name.bytes().map(encode).collect();
    format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{utf8}")
}

/// A chunk of a file.
#[derive(Serialize, ToSchema)]
#[schema(as = Chunk)]
pub(crate) struct ChunkJson {
    index: u32,
    #[schema(required)]
    page: Option<u32>,
    /// Where it begins in the extracted text, in characters.
    start: u32,
    /// Where it ends, exclusive.
    end: u32,
    /// The headings it stands under, the outermost first.
    #[schema(required)]
    heading: Option<String>,
    text: String,
    token_count: u32,
}

/// A page of chunks.
#[derive(Serialize, ToSchema)]
pub(crate) struct ChunkList {
    chunks: Vec<ChunkJson>,
    total: u64,
}

/// Which chunks.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ChunkQuery {
    #[param(minimum = 1, maximum = 100)]
    limit: Option<i64>,
    #[param(minimum = 0, maximum = 100_000)]
    offset: Option<i64>,
}

/// The chunks of a file, in order.
#[utoipa::path(get, path = "/files/{id}/chunks", operation_id = "list_chunks", tag = "files",
    security(("bearer" = [])), params(("id" = String, Path), ChunkQuery), responses(
    (status = 200, body = ChunkList), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn chunks(
    State(state): State<AppState>,
    principal: Principal,
    Ids((id,)): Ids<(FileId,)>,
    Params(query): Params<ChunkQuery>,
) -> Result<Json<ChunkList>, ApiError> {
    let page = page(query.limit, query.offset, 20, 100)?;
    visible(&state, &principal, id).await?;
    let found = state
        .platform
        .store
        .list_chunks(id, page)
        .await?
        .ok_or_else(ApiError::not_found)?;
    let json = |chunk: across::knowledge::file::Chunk| ChunkJson {
        index: chunk.index,
        page: chunk.page,
        start: chunk.start,
        end: chunk.end,
        heading: chunk.heading,
        text: chunk.text,
        token_count: chunk.token_count,
    };
    Ok(Json(ChunkList {
        chunks: found.items.into_iter().map(json).collect(),
        total: found.total,
    }))
}

/// Where a page lies in the text.
#[derive(Serialize, ToSchema)]
pub(crate) struct PageSpan {
    page: u32,
    start: usize,
    end: usize,
}

/// A file's text as it was extracted.
#[derive(Serialize, ToSchema)]
pub(crate) struct ExtractedText {
    text: String,
    /// Empty for formats without pages.
    pages: Vec<PageSpan>,
}

/// A file's text, so that a citation opens with its passage marked.
#[utoipa::path(get, path = "/files/{id}/text", operation_id = "get_file_text", tag = "files",
    security(("bearer" = [])), params(("id" = String, Path)), responses(
    (status = 200, body = ExtractedText), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn text(
    State(state): State<AppState>,
    principal: Principal,
    Ids((id,)): Ids<(FileId,)>,
) -> Result<Json<ExtractedText>, ApiError> {
    visible(&state, &principal, id).await?;
    let found = state
        .platform
        .store
        .file_text(id)
        .await?
        .ok_or_else(ApiError::not_found)?;
    let pages = found.pages.into_iter().map(|page| PageSpan {
        page: page.number,
        start: page.start,
        end: page.end,
    });
    Ok(Json(ExtractedText {
        text: found.text,
        pages: pages.collect(),
    }))
}

/// Processes a file anew; what it holds now stays findable until that is complete.
#[utoipa::path(post, path = "/files/{id}/reprocess", operation_id = "reprocess_file", tag = "files",
    security(("bearer" = [])), params(("id" = String, Path)), responses(
    (status = 202, body = FileJson), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub(crate) async fn reprocess(
    State(state): State<AppState>,
    By(doer): By,
    Ids((id,)): Ids<(FileId,)>,
) -> Result<(StatusCode, Json<FileJson>), ApiError> {
    let deed = doer.does(Action::FileReprocess, state.platform.clock.now());
    match state.platform.store.reprocess(id, deed).await? {
        Reprocess::Queued(file) => {
            state.platform.job_queued.notify_one();
            Ok((StatusCode::ACCEPTED, Json((*file).into())))
        }
        Reprocess::Missing => Err(ApiError::not_found()),
        Reprocess::Moving => Err(ApiError::new(Kind::CONFLICT, "This file is being processed already.")),
    }
}

/// Which files are processed anew.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReprocessAll {
    /// Those of this assistant only.
    #[serde(default)]
    #[schema(format = Uuid)]
    assistant_id: Option<String>,
    /// Those in this state only.
    #[serde(default)]
    status: Option<Failed>,
}

/// The state of files that could not be processed.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Failed {
    /// In error.
    Error,
}

/// How many files wait to be processed anew.
#[derive(Serialize, ToSchema)]
pub(crate) struct Queued {
    queued: u64,
}

/// Processes all files anew, or those of one assistant, or those in error; what they hold now stays findable until that is complete. Files
/// that are being processed already are left alone.
#[utoipa::path(post, path = "/files/reprocess-all", operation_id = "reprocess_all_files", tag = "files",
    security(("bearer" = [])), request_body = ReprocessAll, responses(
    (status = 202, body = Queued), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 413, body = ErrorBody), (status = 415, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn reprocess_all(
    State(state): State<AppState>,
    By(doer): By,
    Body(body): Body<ReprocessAll>,
) -> Result<(StatusCode, Json<Queued>), ApiError> {
    let store = &state.platform.store;
    let assistant: Option<AssistantId> = body.assistant_id.map(|id| id_field("assistant_id", &id)).transpose()?;
    if let Some(assistant) = assistant {
        store.find_assistant(assistant).await?.ok_or_else(ApiError::not_found)?;
    }
    let deed = doer.does(Action::FileReprocess, state.platform.clock.now());
    let queued = store.reprocess_all(assistant, body.status.is_some(), deed).await?;
    state.platform.job_queued.notify_one();
    Ok((StatusCode::ACCEPTED, Json(Queued { queued })))
}

/// Removes a file; from this moment no answer uses it.
#[utoipa::path(delete, path = "/files/{id}", operation_id = "delete_file", tag = "files",
    security(("bearer" = [])), params(("id" = String, Path)), responses(
    (status = 204), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn delete(
    State(state): State<AppState>,
    By(doer): By,
    Ids((id,)): Ids<(FileId,)>,
) -> Result<StatusCode, ApiError> {
    let deed = doer.does(Action::FileDelete, state.platform.clock.now());
    if state.platform.store.delete_file(id, deed).await? {
        state.platform.job_queued.notify_one();
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ApiError::not_found())
    }
}

#[cfg(test)]
mod tests {
    use super::disposition;

    #[test]
    fn a_name_cannot_end_the_header() {
        assert_eq!(
            disposition("a.pdf"),
            "attachment; filename=\"a.pdf\"; filename*=UTF-8''a.pdf"
        );
        assert_eq!(
            disposition("\"\r\n;é.md"),
            "attachment; filename=\"____ _.md\"; filename*=UTF-8''%22%0D%0A%3B%C3%A9.md".replace("____ _", "_____"),
        );
    }
}
