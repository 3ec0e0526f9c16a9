import type { AudioFormat, Container, DubOptions, MediaInfo } from '$lib/api/types';

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
	{ value: 'mp3', name: 'MP3', title: 'Plays on the oldest devices' },
	{ value: 'opus', name: 'Opus', title: 'The smallest at the same quality' },
	{ value: 'flac', name: 'FLAC', title: 'Loses nothing, half as large as WAV' },
	{ value: 'wav', name: 'WAV', title: 'Loses nothing, for editing' }
];

export const CONTAINERS: { value: Container; name: string; title: string }[] = [
	{ value: 'auto', name: 'Automatic', title: 'MP4 where the picture can be copied into it, else MKV' },
	{ value: 'mp4', name: 'MP4', title: 'Plays everywhere' },
	{ value: 'mkv', name: 'MKV', title: 'Takes every picture and any number of tracks' },
	{ value: 'webm', name: 'WebM', title: 'For web pages; takes VP8, VP9 and AV1 and speaks Opus' }
];

const WEBM_PICTURES = ['vp8', 'vp9', 'av1'];
const CODEC_NAMES: Record<string, string> = { h264: 'H.264', hevc: 'H.265', mpeg4: 'MPEG-4', vp8: 'VP8', vp9: 'VP9', av1: 'AV1' };
export const codecName = (codec: string) => CODEC_NAMES[codec] ?? codec;

/** Why a container does not take this video; "" when it does, or when that is not known yet. */
export function unsuitable(options: DubOptions, media: MediaInfo | null): string {
	if (options.container !== 'webm') return '';
	if (options.burn_subtitles) return 'Subtitles are burned in as H.264, which WebM does not take. Choose MKV or MP4.';
	const codec = media?.video?.codec;
	return codec && !WEBM_PICTURES.includes(codec) ? `WebM does not take this video’s picture (${codecName(codec)}). Choose MKV or MP4.` : '';
}

/** The sound's coding that goes with a container. */
export function codecFor(container: Container, codec: DubOptions['audio_codec']): DubOptions['audio_codec'] {
	if (container === 'webm') return 'opus';
	return container === 'mkv' ? codec : 'aac';
}

/** The sound's settings in a few words. */
export function soundSummary({ background, duck_db, keep_db, loudness_lufs }: DubOptions): string {
	const original = {
		duck: duck_db === null ? 'lowered as far as needed' : `lowered by ${decibels(-duck_db).replace('+', '')}`,
		keep: keep_db === 0 ? 'original as it is' : `original at ${decibels(keep_db)}`,
		replace: 'only the voice'
	}[background];
	return `${original}, ${loudness_lufs === null ? 'level left' : decibels(loudness_lufs, 'LUFS')}`;
}

/** The files' settings in a few words. */
export function filesSummary({ container, audio_codec, audio_format }: DubOptions): string {
	const video = container === 'auto' ? 'MP4 or MKV' : CONTAINERS.find((c) => c.value === container)?.name;
	const coded = audio_codec === 'opus' ? ' with Opus' : '';
	return `${video}${coded}, audio as ${AUDIO_FORMATS.find((f) => f.value === audio_format)?.name}`;
}
