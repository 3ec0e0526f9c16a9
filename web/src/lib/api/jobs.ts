import { address, client, unwrap } from './client';
import { toApiError } from './problems';
import type { ArtifactKind, CreateJob, Estimate, Job, JobPage, JobPatch, JobState, JobSummary, Report } from './types';

export interface JobFilter {
	text: string;
	states: JobState[];
	cursor?: string;
}

export async function listJobs({ text, states, cursor }: JobFilter, signal?: AbortSignal): Promise<JobPage> {
	const query = { q: text || undefined, state: states.length ? states : undefined, cursor, limit: 50 };
	return unwrap(await client.GET('/api/jobs', { params: { query }, signal }));
}

export async function getJob(job_id: string): Promise<Job> {
	return unwrap(await client.GET('/api/jobs/{job_id}', { params: { path: { job_id } } }));
}

export async function createJob(body: CreateJob): Promise<Job> {
	return unwrap(await client.POST('/api/jobs', { body }));
}

const seen = (choices_revision: number) => ({ 'If-Match': `"${choices_revision}"` });

/** Throws JobChangedError when others have changed the same fields since that revision; nothing is changed then. */
export async function updateJob(job_id: string, body: JobPatch, choices_revision: number): Promise<Job> {
	return unwrap(await client.PATCH('/api/jobs/{job_id}', { params: { path: { job_id }, header: seen(choices_revision) }, body }));
}

export async function deleteJob(job_id: string): Promise<void> {
	unwrap(await client.DELETE('/api/jobs/{job_id}', { params: { path: { job_id } } }));
}

export type JobAction = 'approve' | 'render' | 'cancel' | 'retry';

/** Throws JobChangedError when what is to be rendered was changed since that revision; nothing is started then. */
export async function steerJob(job_id: string, action: JobAction, choices_revision: number): Promise<Job> {
	return unwrap(await client.POST(`/api/jobs/{job_id}/${action}`, { params: { path: { job_id }, header: seen(choices_revision) } }));
}

export async function duplicateJob(job_id: string, body: JobPatch): Promise<Job> {
	return unwrap(await client.POST('/api/jobs/{job_id}/duplicate', { params: { path: { job_id } }, body }));
}

/** What the job would cost from where it is to its end; with `translate`, what translating those lines again would. */
export async function estimateJob(job_id: string, translate?: 'all' | 'stale' | 'failed'): Promise<Estimate> {
	return unwrap(await client.GET('/api/jobs/{job_id}/estimate', { params: { path: { job_id }, query: { translate } } }));
}

/** The report of the last render; null before the first. */
export async function getReport(job_id: string): Promise<Report | null> {
	const result = await client.GET('/api/jobs/{job_id}/report', { params: { path: { job_id } } });
	return result.response.status === 404 ? null : unwrap(result);
}

/** The summary of a job, from the whole job. */
export function summaryOf(job: Job): JobSummary {
	const { options, artifacts, source_gone = false, outputs_gone = false, ...shared } = job;
	return { ...shared, source_gone, outputs_gone, recognizer: options.recognition.recognizer, thumbnail: artifacts.find((a) => a.kind === 'thumbnail')?.sha256 ?? null };
}

/** Where the picture of a listed job lies; null when it has none. */
export function thumbnailUrl(job: JobSummary): string | null {
	return job.thumbnail && media(job.id, 'thumbnail', job.thumbnail);
}

/** Where the player finds one of a job's files; null until it exists. The ETag's head makes a new render a new address. */
export function mediaUrl(job: Job, kind: ArtifactKind): string | null {
	const artifact = job.artifacts.find((a) => a.kind === kind);
	return artifact ? media(job.id, kind, artifact.sha256) : null;
}

const media = (job_id: string, kind: ArtifactKind, sha256: string) => address(`/media/${job_id}/${kind}?v=${sha256.slice(0, 12)}`);

export function downloadUrl(job: Job, kind: ArtifactKind): string {
	return address(`/download/${kind}/${job.id}`);
}

/** The source's waveform, as audiowaveform writes it. */
export async function getPeaks(url: string): Promise<ArrayBuffer> {
	const response = await fetch(url);
	if (!response.ok) throw toApiError(null, response.status);
	return response.arrayBuffer();
}
