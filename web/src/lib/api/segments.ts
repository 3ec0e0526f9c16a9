import { client, unwrap } from './client';
import { toApiError } from './problems';
import type { SegmentChanges, Segments } from './types';

/** A change of the lines or speakers is for the revision that it was made on. */
export const match = (revision: number) => ({ 'If-Match': `"${revision}"` });

export async function getSegments(job_id: string): Promise<Segments> {
	return unwrap(await client.GET('/api/jobs/{job_id}/segments', { params: { path: { job_id } } }));
}

/** Throws `edit_conflict` when the lines are no longer those of `revision`. */
export async function editSegments(job_id: string, revision: number, body: SegmentChanges): Promise<Segments> {
	return unwrap(await client.PATCH('/api/jobs/{job_id}/segments', { params: { path: { job_id }, header: match(revision) }, body }));
}

export async function splitSegment(job_id: string, segment_id: string, revision: number, at: number): Promise<Segments> {
	const params = { path: { job_id, segment_id }, header: match(revision) };
	return unwrap(await client.POST('/api/jobs/{job_id}/segments/{segment_id}/split', { params, body: { at } }));
}

export async function mergeSegment(job_id: string, segment_id: string, revision: number): Promise<Segments> {
	const params = { path: { job_id, segment_id }, header: match(revision) };
	return unwrap(await client.POST('/api/jobs/{job_id}/segments/{segment_id}/merge', { params }));
}

/** The line as it will be spoken: a WAV file. */
export async function previewSegment(job_id: string, segment_id: string, signal?: AbortSignal): Promise<Blob> {
	const params = { path: { job_id, segment_id } };
	const { data, error, response } = await client.POST('/api/jobs/{job_id}/segments/{segment_id}/preview', { params, parseAs: 'blob', signal });
	if (!response.ok) throw toApiError(error, response.status);
	return data as unknown as Blob;
}
