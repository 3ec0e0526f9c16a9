import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { client } from '$lib/api/client';
import { HealthStore } from './health.svelte';

const WAITS = 'It waits for room: the disk is full. It goes on by itself.';
const check = (name: string, detail: string) => ({ name, detail, ok: !detail });

describe('whether the server can work', () => {
	let checks: ReturnType<typeof check>[];
	let asked = 0;
	let back = 0;
	let health: HealthStore;
	let leave = () => {};
	const answer = async () => {
		await vi.advanceTimersByTimeAsync(3000);
	};

	beforeEach(() => {
		vi.useFakeTimers();
		[asked, back] = [0, 0];
		vi.stubGlobal('fetch', async (request: Request) => {
			if (!request.url.endsWith('/health')) return Response.json({ code: 'disk_full', hint: '', title: '', detail: '', status: 507 }, { status: 507 });
			asked += 1;
			return Response.json({ ready: checks.every((c) => c.ok), checks });
		});
		health = new HealthStore(() => (back += 1));
	});
	afterEach(() => {
		leave();
		vi.useRealTimers();
		vi.unstubAllGlobals();
	});

	it('is asked once where all is well', async () => {
		checks = [check('database', '')];
		leave = health.follow();
		await answer();
		await answer();
		expect([asked, back, health.reasons]).toEqual([1, 0, []]);
	});

	it('says why it cannot, each reason once, until it can', async () => {
		checks = [check('database', WAITS), check('engine', WAITS), check('disk', '0 MB are free; 2 MB must stay free.')];
		leave = health.follow();
		await vi.advanceTimersByTimeAsync(0);
		expect(health.reasons, 'a start takes a moment').toEqual([]);
		await answer();
		expect(health.reasons).toEqual([WAITS]);
		checks = [check('database', ''), check('disk', '1 MB is free')];
		await answer();
		expect([health.reasons, back]).toEqual([[], 1]);
	});

	it('is asked again when it refuses something for want of room', async () => {
		checks = [check('engine', '')];
		leave = health.follow();
		await vi.advanceTimersByTimeAsync(0);
		await client.GET('/api/engines');
		await vi.advanceTimersByTimeAsync(0);
		expect(asked).toBe(2);
	});
});
