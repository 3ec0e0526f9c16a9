import { describe, expect, it } from 'vitest';
import type { Job } from '$lib/api/types';
import { fieldLabel, fieldsOf, fieldValue, valueOf } from './changes';

const said = (field: string, value: unknown) => `${fieldLabel(field)}: ${fieldValue(field, value, (voice) => voice.toUpperCase())}`;

describe('the fields of a change', () => {
	it('are named as the server names them', () => {
		const patch = { title: 'Film', options: { voices: { speed: 1.1 }, mix: { duck_db: null } }, stem_upload_id: null };
		expect(fieldsOf(patch).sort()).toEqual(['options.mix.duck_db', 'options.voices.speed', 'stem_upload_id', 'title']);
		expect(fieldsOf(patch).map((field) => valueOf(field, patch))).toEqual(['Film', null, 1.1, null]);
		expect(valueOf('stem_upload_id', { has_stem: true } as Job)).toBe(true);
	});

	it('are told in the words of the page', () => {
		expect(said('title', 'My film')).toBe('Title: “My film”');
		expect(said('options.voices.voice', 'espeak:de')).toBe('Voice: ESPEAK:DE');
		expect(said('options.voices.speed', 1.1)).toBe('Speed: 1.10×');
		expect(said('options.mix.duck_db', -12)).toBe('Lower by: 12 dB');
		expect(said('options.mix.duck_db', null)).toBe('Lower by: as far as the voice needs');
		expect(said('options.output.burn_subtitles', false)).toBe('Burn subtitles into the picture: off');
		expect(said('stem_upload_id', true)).toBe('Music and effects track: a file');
		expect(said('options.recognition.audio_track', null)).toBe('audio track: automatic');
	});
});
