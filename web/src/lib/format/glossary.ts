import type { Term } from '$lib/api/types';
import { count } from './numbers';

/** `3 terms: Ada, GIF, Workshop`. */
export function glossarySummary(terms: readonly Term[]): string {
	return terms.length ? `${count(terms.length, 'term')}: ${terms.map((term) => term.term).join(', ')}` : 'Names and terms, and how they are spoken';
}

/** The terms with others added; one that is there already becomes the other's. */
export function withTerms(terms: readonly Term[], others: readonly Term[]): Term[] {
	const found = new Map([...terms, ...others].map((term) => [term.term, term]));
	return [...found.values()];
}
