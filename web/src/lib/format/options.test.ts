import { expect, test } from 'vitest';
import type { EngineInfo } from '$lib/api/types';
import { engineTerms, hasOffer, quotaLeft, recognizerFacts } from './options';

const engine = (changes: Partial<EngineInfo>): EngineInfo =>
	({ availability: { available: true, reason: '', remedy: '' }, translates: false, licence: '', cost_unit: null, needs_key: false, ...changes }) as EngineInfo;

test('a recogniser says where it works and what it costs', () => {
	expect(recognizerFacts(engine({ translates: true, licence: 'MIT' }))).toBe('On this server, free. Licence: MIT.');
	expect(recognizerFacts(engine({}))).toBe('A service: the sound is sent to it, free.');
	expect(recognizerFacts(engine({ cost_unit: { name: 'minute', usd: 0.006 }, needs_key: true }))).toBe('A service: the sound is sent to it, $0.006 a minute. It works with your key.');
	expect(recognizerFacts(engine({ cost_unit: { name: 'minute', usd: null } }))).toContain('paid by the minute');
});

test('one that cannot work now says why', () => {
	expect(recognizerFacts(engine({ availability: { available: false, reason: 'No address is set.', remedy: '' } }))).toBe('No address is set.');
});

test('an account says what it has left', () => {
	const quota = { used: 1234, limit: 100_000, resets_at: null };
	expect(quotaLeft(engine({ quota, cost_unit: { name: 'credit', usd: null } }))).toBe('98,766 of 100,000 credits left');
	expect(quotaLeft(engine({ quota: { ...quota, used: 100_001 } }))).toBe('0 of 100,000 units left');
	expect(quotaLeft(engine({ quota: null }))).toBe('');
});

test('an engine says its licence and its price', () => {
	expect(engineTerms(engine({ kind: 'separator', licence: 'MIT' }))).toBe('Licence: MIT. Free.');
	expect(engineTerms(engine({ kind: 'voice', cost_unit: { name: 'credit', usd: 0.00008 } }))).toBe('$0.08 for 1,000 credits.');
	expect(engineTerms(engine({ kind: 'recognizer', cost_unit: { name: 'minute', usd: null } }))).toBe('Paid by the minute.');
});

test('a heading of voices without a hit goes while one searches', () => {
	expect(hasOffer(0, false, false)).toBe(true);
	expect(hasOffer(0, true, false)).toBe(false);
	expect(hasOffer(2, true, false)).toBe(true);
	expect(hasOffer(0, true, true)).toBe(true);
});
