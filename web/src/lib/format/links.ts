import type { Caption, Link, OptionsPatch } from '$lib/api/types';
import { languageName } from './languages';
import { merged } from './options';
import { bytes } from './numbers';
import { about } from './time';

const HTTP = /^https?:\/\/[^\s/?#@]+\.?[^\s]*$/i;

/** What is wrong with a text that should be the address of a page, for the person; "" if nothing is. */
export function addressFault(text: string): string {
	const typed = text.trim();
	if (!typed || HTTP.test(typed)) return '';
	if (/\s/.test(typed)) return 'An address has no spaces. Paste one at a time.';
	if (/^[a-z][a-z0-9+.-]*:/i.test(typed) && !/^https?:/i.test(typed)) return 'Only addresses that begin with https:// or http:// are taken.';
	return 'Paste the whole address, with https:// at its beginning.';
}

/** What a link does now, in a line. */
export function linkStatus(link: Link): string {
	switch (link.state) {
		case 'waiting':
			return 'Waiting for other links';
		case 'looking':
			return 'Looking at the page…';
		case 'downloading': {
			const have = link.size_bytes ? `${bytes(Math.min(link.received_bytes, link.size_bytes))} of ${bytes(link.size_bytes)}` : bytes(link.received_bytes);
			if (!link.bytes_per_s) return have;
			return `${have} · ${bytes(link.bytes_per_s)}/s` + (link.eta_s !== null ? ` · ${about(link.eta_s)} left` : '');
		}
		case 'joining':
			return 'Joining picture and sound…';
		case 'finished':
			return `Downloaded${link.size_bytes ? `, ${bytes(link.size_bytes)}` : ''}`;
		default:
			return '';
	}
}

/** 0 to 1; null while it is not known. */
export function linkProgress(link: Link): number | null {
	if (link.state === 'finished' || link.state === 'joining') return 1;
	if (link.state !== 'downloading' || !link.size_bytes) return link.state === 'waiting' ? 0 : null;
	return Math.min(1, link.received_bytes / link.size_bytes);
}

/** How a person calls captions: "Spanish", "English (automatic)". */
export function captionName(caption: Caption): string {
	const code = caption.language.replace(/-orig$/, '');
	const name = languageName(code) === code && caption.name ? caption.name : languageName(code);
	return caption.automatic ? `${name} (automatic)` : name;
}

/** The options of a job whose lines are captions in this language. */
export function captionOptions(options: OptionsPatch, language: string): OptionsPatch {
	const told = options.recognition?.language || options.translation?.target_language;
	const spoken = language.split('-')[0]?.toLowerCase() ?? null;
	return merged(options, { recognition: { recognizer: 'subtitles', ...(!told && { language: spoken }) } });
}
