import { address, client, unwrap } from './client';
import type { CleanReport, StorageReport } from './types';

export async function getStorage(): Promise<StorageReport> {
	return unwrap(await client.GET('/api/storage'));
}

/** Deletes what the rules no longer keep; `dry_run` only lists it. */
export async function cleanStorage(dry_run: boolean): Promise<CleanReport> {
	return unwrap(await client.POST('/api/storage/clean', { body: { dry_run } }));
}

/** Where a job's archive is downloaded. */
export function exportUrl(job_id: string): string {
	return address(`/api/jobs/${job_id}/export`);
}
