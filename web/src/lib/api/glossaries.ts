import { client, unwrap } from './client';
import type { KeptGlossary, Suggestion, Term } from './types';

/** The glossaries that are kept on the server, by name. */
export async function listGlossaries(): Promise<KeptGlossary[]> {
	return unwrap(await client.GET('/api/glossaries'));
}

/** Keeps a glossary, in place of one of the same name. */
export async function putGlossary(name: string, terms: Term[]): Promise<KeptGlossary> {
	return unwrap(await client.PUT('/api/glossaries/{name}', { params: { path: { name } }, body: { terms } }));
}

export async function deleteGlossary(name: string): Promise<void> {
	unwrap(await client.DELETE('/api/glossaries/{name}', { params: { path: { name } } }));
}

/** The terms of a CSV or TSV file. Nothing is kept. */
export async function readGlossary(file: File): Promise<Term[]> {
	const body = file as never; // the schema knows no bodies of bytes
	const headers = { 'Content-Type': 'application/octet-stream' };
	return unwrap(await client.POST('/api/glossaries', { body, bodySerializer: (bytes: unknown) => bytes as Blob, headers })).terms;
}

/** Names and terms of a job's lines that may belong into its glossary. */
export async function suggestTerms(job_id: string): Promise<Suggestion[]> {
	return unwrap(await client.GET('/api/jobs/{job_id}/glossary/suggestions', { params: { path: { job_id } } }));
}
