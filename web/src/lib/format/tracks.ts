import type { AudioStream, Job } from '$lib/api/types';
import { languageName } from './languages';

const CHANNELS: Record<number, string> = { 1: 'mono', 2: 'stereo', 6: '5.1', 8: '7.1' };

/** `stereo, AAC, default`: what else the file says of a sound track, and whether anything is heard in it. */
export function trackFacts({ channels, codec, purpose, default: first, silent }: AudioStream): string {
	const facts = [purpose, CHANNELS[channels] ?? `${channels} channels`, codec.toUpperCase(), first && 'default', silent && 'silent'];
	return facts.filter(Boolean).join(', ');
}

/** The track that is heard: the one that was chosen, or the one that the server took. */
export function heardTrack(job: Pick<Job, 'options' | 'media'>): AudioStream | undefined {
	return job.media?.audio.find((t) => t.track === (job.options.recognition.audio_track ?? job.media?.heard ?? 0));
}

/** `2 · English · Commentary`: a sound track as a person picks it, counted from 1. */
export function trackName({ track, language, title }: AudioStream): string {
	return [track + 1, language && language !== 'und' && languageName(language), title].filter(Boolean).join(' · ');
}
