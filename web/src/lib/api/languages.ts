import { client, unwrap } from './client';
import type { Job, LanguageNew } from './types';

/** A further language of a job; the answer is that language. */
export async function addLanguage(job_id: string, body: LanguageNew): Promise<Job> {
	return unwrap(await client.POST('/api/jobs/{job_id}/languages', { params: { path: { job_id } }, body }));
}

/** Takes a further language away with its lines and files; the answer is the job. */
export async function removeLanguage(job_id: string, language: string): Promise<Job> {
	return unwrap(await client.DELETE('/api/jobs/{job_id}/languages/{language}', { params: { path: { job_id, language } } }));
}
