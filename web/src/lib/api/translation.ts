import { client, unwrap } from './client';
import { match } from './segments';
import type { BroughtTranslation, ShorterWordings, TranslateSegments, TranslatedAgain, TranslationApplied, TranslationPreview, TranslationUndone } from './types';

/** Which line would get what. Nothing is changed. */
export async function previewTranslation(job_id: string, body: BroughtTranslation, signal?: AbortSignal): Promise<TranslationPreview> {
	return unwrap(await client.POST('/api/jobs/{job_id}/translation/preview', { params: { path: { job_id } }, body, signal }));
}

export async function applyTranslation(job_id: string, revision: number, body: BroughtTranslation): Promise<TranslationApplied> {
	return unwrap(await client.POST('/api/jobs/{job_id}/translation', { params: { path: { job_id }, header: match(revision) }, body }));
}

/** Takes a change of many lines back; lines that were edited after it stay. */
export async function undoTranslation(job_id: string, revision: number, undo: string): Promise<TranslationUndone> {
	return unwrap(await client.POST('/api/jobs/{job_id}/translation/undo', { params: { path: { job_id }, header: match(revision) }, body: { undo } }));
}

export async function translateSegments(job_id: string, revision: number, body: TranslateSegments): Promise<TranslatedAgain> {
	return unwrap(await client.POST('/api/jobs/{job_id}/segments/translate', { params: { path: { job_id }, header: match(revision) }, body }));
}

/** Two shorter wordings of a translated line. Nothing is changed. */
export async function shortenSegment(job_id: string, segment_id: string): Promise<ShorterWordings> {
	return unwrap(await client.POST('/api/jobs/{job_id}/segments/{segment_id}/shorten', { params: { path: { job_id, segment_id } } }));
}
