import { expect, test } from 'vitest';
import type { Estimate } from '$lib/api/types';
import { ceiling, onButton, published, raised, warnings } from './costs';

const speech = { what: 'speech', engine: 'elevenlabs', model: 'm', unit: 'credit', amount: 1234, usd: 0.42, published: '2026-10', quota_left: 1000, guessed: false };
const machine = { ...speech, what: 'machine', engine: 'machine', unit: 'minute', amount: 3, usd: null, published: '', quota_left: null };
const estimate = (items: object[], more: object = {}): Estimate => ({ items, lines: 3, cached_lines: 0, ...more }) as Estimate;

test('a button says money and units, and nothing where all is free', () => {
	expect(onButton(estimate([speech, machine]))).toBe('about $0.42 · 1,234 credits');
	expect(onButton(estimate([{ ...speech, amount: 30, usd: 0.0024 }]))).toBe('under $0.01 · 30 credits');
	expect(onButton(estimate([machine]))).toBe('');
	expect(onButton(estimate([{ ...speech, engine: 'deepl', unit: 'character', usd: 0 }]))).toBe('');
	expect(onButton(null)).toBe('');
});

test('no sum is made up where a price is not known', () => {
	expect(onButton(estimate([speech, { ...speech, engine: 'chat', unit: 'token', amount: 5000, usd: null }]))).toBe('price not known · 1,234 credits + 5,000 tokens');
});

test('the date of the prices, a short quota and a low ceiling are said', () => {
	expect(published(estimate([speech]))).toBe('Prices as published on 2026-10.');
	expect(warnings(estimate([speech], { passes_ceiling: true }))).toEqual(['elevenlabs has only 1,000 credits left.', 'This is more than the ceiling allows: it stops before that is passed.']);
});

test('a raised ceiling has room for what is spent and the rest', () => {
	const found = raised(estimate([speech], { spent_usd: 0.1, spent_credits: 100, open_credits: 10, ceiling_usd: 0.2, ceiling_credits: null }));
	expect(found).toEqual({ ceiling_usd: 0.58 });
});

test('a ceiling is typed as a number, empty is none', () => {
	expect([ceiling('2,5'), ceiling(' '), ceiling('x'), ceiling('-1')]).toEqual([2.5, null, null, 0]);
});
