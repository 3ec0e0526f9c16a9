import type { AudioFormat, Container, DubOptions, EngineInfo, MediaInfo, OptionsPatch, VoiceInfo } from '$lib/api/types';
import { languageName } from './languages';
import { bytes } from './numbers';

/** The options with changes to some of their groups, the later ones last. */
export function merged<T extends OptionsPatch | DubOptions>(options: T, ...patches: OptionsPatch[]): T {
	const groups: Record<string, object> = { ...options } as Record<string, object>;
	for (const patch of patches) {
		for (const [name, fields] of Object.entries(patch)) groups[name] = { ...groups[name], ...(fields as object) };
	}
	return groups as T;
}

/** `−12 dB`, `+3 dB`, `0 dB`: with a true minus sign. */
export function decibels(value: number, unit = 'dB', digits = 0): string {
	const text = Math.abs(value).toFixed(digits);
	const sign = Number(text) === 0 ? '' : value < 0 ? '−' : unit === 'dB' ? '+' : '';
	return `${sign}${text} ${unit}`;
}

const PURPOSES: Record<string, string> = { '-16': 'spoken word, podcasts', '-14': 'streaming music', '-23': 'broadcast' };

/** What a loudness is for; "" for one that has no name. */
export const loudnessPurpose = (lufs: number) => PURPOSES[String(lufs)] ?? '';

export const AUDIO_FORMATS: { value: AudioFormat; name: string; title: string }[] = [
	{ value: 'm4a', name: 'M4A', title: 'AAC: small, plays everywhere' },
	{ value: 'mp3', name: 'MP3', title: 'plays on the oldest devices' },
	{ value: 'opus', name: 'Opus', title: 'the smallest at the same quality' },
	{ value: 'flac', name: 'FLAC', title: 'loses nothing, half as large as WAV' },
	{ value: 'wav', name: 'WAV', title: 'loses nothing, for editing' }
];

export const CONTAINERS: { value: Container; name: string; title: string }[] = [
	{ value: 'auto', name: 'Automatic', title: 'MP4 where the picture can be copied into it, else MKV' },
	{ value: 'mp4', name: 'MP4', title: 'Plays everywhere' },
	{ value: 'mkv', name: 'MKV', title: 'Supports every codec and any number of tracks' },
	{ value: 'webm', name: 'WebM', title: 'For web pages; VP8, VP9 or AV1 with Opus' }
];

/** The picture codecs that a container supports, as on the server; a container not listed supports all. */
const PICTURES: Partial<Record<Container, string[]>> = {
	mp4: ['h264', 'hevc', 'av1', 'vp9', 'mpeg4', 'mpeg2video', 'mpeg1video'],
	webm: ['vp8', 'vp9', 'av1']
};
const BURNED = 'h264'; // the codec that encoding produces
const CODEC_NAMES: Record<string, string> = { h264: 'H.264', hevc: 'H.265', mpeg4: 'MPEG-4', mpeg2video: 'MPEG-2', vp8: 'VP8', vp9: 'VP9', av1: 'AV1' };

/** The codec of this video that a container does not support: `H.264`; "" if it is supported or not known yet. */
export function unsuitable(container: Container, { output: { burn_subtitles } }: { output: Pick<DubOptions['output'], 'burn_subtitles'> }, media: MediaInfo | null): string {
	const codec = burn_subtitles || media?.video?.obstacle === 'edits' ? BURNED : media?.video?.codec;
	const taken = PICTURES[container];
	return !codec || !taken || taken.includes(codec) ? '' : (CODEC_NAMES[codec] ?? codec.toUpperCase());
}

/** The audio codec for a container. */
export function codecFor(container: Container, codec: DubOptions['output']['audio_codec']): DubOptions['output']['audio_codec'] {
	if (container === 'webm') return 'opus';
	return container === 'mkv' ? codec : 'aac';
}

/** The sound's settings in a few words. */
export function soundSummary({ mix: { background, duck_db, keep_db, loudness_lufs } }: Pick<DubOptions, 'mix'>): string {
	const original = {
		duck: duck_db === null ? 'Original as low as needed' : `Original lower by ${decibels(-duck_db).slice(1)}`,
		keep: keep_db === 0 ? 'Original as it is' : `Original at ${decibels(keep_db)}`,
		replace: 'Only the new voice'
	}[background];
	return `${original}, ${loudness_lufs === null ? 'level left' : decibels(loudness_lufs, 'LUFS')}`;
}

/** The files' settings in a few words. */
export function filesSummary({ output: { container, audio_codec, audio_format } }: Pick<DubOptions, 'output'>): string {
	const video = container === 'auto' ? 'MP4 or MKV' : CONTAINERS.find((c) => c.value === container)?.name;
	const coded = audio_codec === 'opus' ? ' with Opus' : '';
	return `${video}${coded}, audio as ${AUDIO_FORMATS.find((f) => f.value === audio_format)?.name}`;
}

/** What a recogniser is, where it works, and what it costs; why it cannot work now. */
export function recognizerFacts({ availability, translates, licence, cost_unit, needs_key }: EngineInfo): string {
	if (!availability.available) return availability.reason;
	if (translates) return `On this server, free.${licence ? ` Licence: ${licence}.` : ''}`;
	const price = !cost_unit ? 'free' : cost_unit.usd === null ? `paid by the ${cost_unit.name}` : `$${Number(cost_unit.usd.toPrecision(2))} a ${cost_unit.name}`;
	return `A service: the sound is sent to it, ${price}.${needs_key ? ' It works with your key.' : ''}`;
}

/** The licence of an engine and what it costs: `Licence: MIT. Free.` */
export function engineTerms({ licence, cost_unit, kind }: EngineInfo): string {
	if (kind === 'translator') return '';
	const price = !cost_unit ? 'Free.' : cost_unit.usd === null ? `Paid by the ${cost_unit.name}.` : `$${Number((cost_unit.usd * 1000).toPrecision(3))} for 1,000 ${cost_unit.name}s.`;
	return [licence && `Licence: ${licence}.`, price].filter(Boolean).join(' ');
}

/** What an account has left: `98,766 of 100,000 credits left, until 3 December`. */
export function quotaLeft({ quota, cost_unit }: EngineInfo): string {
	if (!quota) return '';
	const number = (value: number) => Math.max(0, Math.round(value)).toLocaleString('en-US');
	const until = quota.resets_at ? `, until ${new Date(quota.resets_at * 1000).toLocaleDateString('en-GB', { day: 'numeric', month: 'long' })}` : '';
	return `${number(quota.limit - quota.used)} of ${number(quota.limit)} ${cost_unit?.name ?? 'unit'}s left${until}`;
}

/** By what voices can be told apart, and what a person wants of them. */
export const FILTERS = ['language', 'gender', 'age', 'accent'] as const;
export type VoiceFilter = Partial<Record<(typeof FILTERS)[number], string>>;

/** Whether a group of voices is shown: always where nobody searches, else where it has a voice or offers another way to one. */
export function hasOffer(voices: number, searching: boolean, offers: boolean): boolean {
	return !searching || voices > 0 || offers;
}

export const fits = (voice: VoiceInfo, filter: VoiceFilter) => FILTERS.every((name) => !filter[name] || voice[name] === filter[name]);

/** A voice in a few words: `English · female · calm`. */
export const voiceDetails = (v: VoiceInfo) => [v.language && languageName(v.language), v.gender, v.description, voiceCost(v)].filter(Boolean).join(' · ');

/** What a voice asks for before it speaks: a download, a licence. */
export function voiceCost(voice: Pick<VoiceInfo, 'licence' | 'download_bytes'>): string {
	const download = voice.download_bytes ? `Downloads ${bytes(voice.download_bytes)} when it first speaks.` : '';
	return [download, voice.licence ? `Licence: ${voice.licence}.` : ''].filter(Boolean).join(' ');
}
