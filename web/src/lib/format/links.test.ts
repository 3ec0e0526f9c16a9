import { expect, test } from 'vitest';
import type { Link } from '$lib/api/types';
import { addressFault, captionName, captionOptions, linkProgress, linkStatus } from './links';

const link = (values: Partial<Link>): Link => ({
	id: 'l', site: 'example.org/talk', state: 'downloading', title: 'A talk', duration_s: null, size_bytes: 2_000_000, received_bytes: 500_000, bytes_per_s: 0,
	eta_s: null, chapters: 0, captions: [], thumbnail: false, upload_id: null, caption: null, subtitles_upload_id: null, error: null, created_at: 0, expires_at: null, ...values
});

test('only whole addresses of pages are taken', () => {
	expect(['https://example.org/talk?v=1', ' http://127.0.0.1:80/a ', ''].map(addressFault)).toEqual(['', '', '']);
	expect(addressFault('example.org/talk')).toContain('https://');
	expect(addressFault('file:///etc/passwd')).toContain('Only addresses');
	expect(addressFault('https://a.org https://b.org')).toContain('one at a time');
});

test('a download says how much has come, how fast, and how long the rest takes', () => {
	expect(linkStatus(link({}))).toBe('500 kB of 2.0 MB');
	expect(linkStatus(link({ bytes_per_s: 100_000, eta_s: 15 }))).toBe('500 kB of 2.0 MB · 100 kB/s · about 15 s left');
	expect(linkStatus(link({ size_bytes: null }))).toBe('500 kB');
	expect([linkProgress(link({})), linkProgress(link({ size_bytes: null })), linkProgress(link({ state: 'joining' }))]).toEqual([0.25, null, 1]);
});

test('captions have the name of their language, and become the language of the lines unless one was told', () => {
	expect(captionName({ id: 'automatic:en-orig', language: 'en-orig', name: '', automatic: true })).toBe('English (automatic)');
	expect(captionName({ id: 'manual:x', language: 'q-zz', name: 'Klingon', automatic: false })).toBe('Klingon');
	expect(captionOptions({}, 'pt-BR')).toEqual({ recognition: { recognizer: 'subtitles', language: 'pt' } });
	expect(captionOptions({ recognition: { language: 'es' } }, 'es')).toEqual({ recognition: { language: 'es', recognizer: 'subtitles' } });
});
