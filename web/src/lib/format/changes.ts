import type { Job, JobPatch } from '$lib/api/types';
import { languageName } from './languages';
import { AUDIO_FORMATS, CONTAINERS, decibels } from './options';
import { times } from './report';

/** The fields that a change names, as the server calls them: `title`, `options.GROUP.NAME`, `stem_upload_id`. */
export function fieldsOf({ options = {}, ...others }: JobPatch): string[] {
	const groups = Object.entries(options) as [string, object][];
	return [...Object.keys(others), ...groups.flatMap(([group, fields]) => Object.keys(fields).map((name) => `options.${group}.${name}`))];
}

/** The value of a field in a job or in a change. Of a job's background it is only known whether there is one. */
export function valueOf(field: string, from: Job | JobPatch): unknown {
	if (field === 'stem_upload_id' && 'has_stem' in from) return from.has_stem;
	return field.split('.').reduce<unknown>((value, name) => (value as Record<string, unknown> | undefined)?.[name], from);
}

type Said = (value: never) => string;
const onOff: Said = (on: boolean) => (on ? 'on' : 'off');
const seconds: Said = (value: number) => `${value.toFixed(2)} s`;
const tuned: Said = (value: number | null) => (value === null ? 'the voice’s own' : value.toFixed(2));
const limit: Said = (most: number | null) => (most === null ? 'none' : String(most));
const asItIs: Said = (text: string) => text;

const FIELDS: Record<string, [label: string, said: Said]> = {
	title: ['Title', (title: string) => `“${title}”`],
	stem_upload_id: ['Music and effects track', (there: string | boolean | null) => (there ? 'a file' : 'none')],
	'options.voices.voice_model': ['Voice model', (model: string) => model || 'default'],
	'options.voices.voice_stability': ['Stability', tuned],
	'options.voices.voice_similarity': ['Similarity', tuned],
	'options.voices.voice_style': ['Style', tuned],
	'options.voices.voice_boost': ['Speaker boost', (on: boolean | null) => (on === null ? 'the voice’s own' : on ? 'on' : 'off')],
	'options.voices.voice_seed': ['Seed', (seed: number | null) => (seed === null ? 'none' : String(seed))],
	'options.voices.speed': ['Speed', times],
	'options.voices.normalize_text': ['Numbers in words', onOff],
	'options.translation.target_language': ['Language of the lines', (code: string | null) => (code ? languageName(code) : 'as recognised')],
	'options.translation.translator': ['Translated by', (name: string) => name || 'hand'],
	'options.translation.formality': ['Addressed', asItIs],
	'options.translation.style': ['Style of the translation', (text: string) => text || 'none'],
	'options.translation.shorten': ['Shorten hurried lines', onOff],
	'options.glossary.terms': ['Glossary', (terms: { term: string }[]) => terms.map(({ term }) => term).join(', ') || 'empty'],
	'options.mix.background': ['Original sound', (value: string) => ({ duck: 'lowered', keep: 'kept', replace: 'removed' })[value] ?? value],
	'options.mix.separate': ['Old voice', (value: string) => ({ off: 'left in', auto: 'automatic', on: 'taken out' })[value] ?? value],
	'options.mix.separator': ['Old voice taken out by', (name: string) => name || 'this server'],
	'options.mix.duck_db': ['Lower by', (db: number | null) => (db === null ? 'as far as the voice needs' : `${-db} dB`)],
	'options.mix.duck_attack_s': ['Goes down within', seconds],
	'options.mix.duck_hold_s': ['Stays down in pauses up to', seconds],
	'options.mix.duck_release_s': ['Comes back within', seconds],
	'options.mix.keep_db': ['Level of the original', (db: number) => decibels(db)],
	'options.mix.loudness_lufs': ['Overall loudness', (lufs: number | null) => (lufs === null ? 'off' : decibels(lufs, 'LUFS'))],
	'options.spending.ceiling_usd': ['Ceiling in US dollars', limit],
	'options.spending.ceiling_credits': ['Ceiling in credits', limit],
	'options.output.audio_format': ['Audio file', (format: string) => AUDIO_FORMATS.find(({ value }) => value === format)?.name ?? format],
	'options.output.container': ['Video file', (container: string) => CONTAINERS.find(({ value }) => value === container)?.name ?? container],
	'options.output.audio_codec': ['Sound in the video', (codec: string) => ({ aac: 'AAC', opus: 'Opus' })[codec] ?? codec],
	'options.output.keep_original_track': ['Original as a second audio track', onOff],
	'options.output.burn_subtitles': ['Burn subtitles into the picture', onOff],
	'options.output.burn_size': ['Size of the subtitles', asItIs],
	'options.output.burn_position': ['Position of the subtitles', asItIs],
	'options.output.burn_box': ['Subtitles on a dark box', onOff],
	'options.output.hardware_encoder': ['Use the graphics card', onOff]
};

/** A field in the words of the page. */
export function fieldLabel(field: string): string {
	if (field === 'options.voices.voice') return 'Voice';
	return FIELDS[field]?.[0] ?? field.split('.').at(-1)!.replaceAll('_', ' ');
}

/** A field's value in the words of the page. `voiceName` names a voice. */
export function fieldValue(field: string, value: unknown, voiceName: (voice: string) => string): string {
	if (field === 'options.voices.voice') return voiceName(String(value));
	const said = FIELDS[field]?.[1];
	if (said) return said(value as never);
	return typeof value === 'boolean' ? onOff(value as never) : value === null || value === '' ? 'automatic' : String(value);
}
