import type { AudioStream } from '$lib/api/types';
import { languageName } from './languages';

/** `2 · English · Commentary`: a sound track as a person picks it, counted from 1. */
export function trackName({ track, language, title }: AudioStream): string {
	return [track + 1, language && language !== 'und' && languageName(language), title].filter(Boolean).join(' · ');
}
