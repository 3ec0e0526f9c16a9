import { client, unwrap } from './client';
import { match } from './segments';
import type { Segments, SpeakerPatch } from './types';

/** A new speaker, who says these lines. */
export async function addSpeaker(job_id: string, revision: number, segments: readonly string[]): Promise<Segments> {
	const params = { path: { job_id }, header: match(revision) };
	return unwrap(await client.POST('/api/jobs/{job_id}/speakers', { params, body: { segments: [...segments] } }));
}

export async function changeSpeaker(job_id: string, speaker_id: string, revision: number, body: SpeakerPatch): Promise<Segments> {
	const params = { path: { job_id, speaker_id }, header: match(revision) };
	return unwrap(await client.PATCH('/api/jobs/{job_id}/speakers/{speaker_id}', { params, body }));
}

/** All lines of the speaker go to another; the speaker goes. */
export async function mergeSpeaker(job_id: string, speaker_id: string, revision: number, into: string): Promise<Segments> {
	const params = { path: { job_id, speaker_id }, header: match(revision) };
	return unwrap(await client.POST('/api/jobs/{job_id}/speakers/{speaker_id}/merge', { params, body: { into } }));
}

/** A voice of the speaker is made in the account; the person has said that they may. */
export async function cloneSpeaker(job_id: string, speaker_id: string, revision: number): Promise<Segments> {
	const params = { path: { job_id, speaker_id }, header: match(revision) };
	return unwrap(await client.POST('/api/jobs/{job_id}/speakers/{speaker_id}/clone', { params, body: { have_the_right: true } }));
}

export async function forgetClone(job_id: string, speaker_id: string, revision: number): Promise<Segments> {
	const params = { path: { job_id, speaker_id }, header: match(revision) };
	return unwrap(await client.DELETE('/api/jobs/{job_id}/speakers/{speaker_id}/clone', { params }));
}

/** The lines stay, with no speaker. */
export async function removeSpeaker(job_id: string, speaker_id: string, revision: number): Promise<Segments> {
	const params = { path: { job_id, speaker_id }, header: match(revision) };
	return unwrap(await client.DELETE('/api/jobs/{job_id}/speakers/{speaker_id}', { params }));
}
