import { client, unwrap } from './client';
import type { SubtitlePreview } from './types';

/** How the server would read a subtitle file: its encoding, a sample, and what is faulty. Nothing is kept. */
export async function previewSubtitles(file: File, language: string | null, encoding: string | null, signal?: AbortSignal): Promise<SubtitlePreview> {
	return unwrap(
		await client.POST('/api/subtitles/preview', {
			params: { query: { language: language ?? undefined, encoding: encoding ?? undefined } },
			body: file as never, // the schema knows no bodies of bytes
			bodySerializer: (body: unknown) => body as Blob,
			headers: { 'Content-Type': 'application/octet-stream' },
			signal
		})
	);
}
