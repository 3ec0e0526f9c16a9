import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Segment, SegmentChanges } from '$lib/api/types';
import { LinesStore } from './lines.svelte';

const segment = (id: string, start_s: number, text: string): Segment => ({
	id, start_s, end_s: start_s + 2, text, source_text: text, speaker: '', skip: false, words: []
});

/** A server's lines behind `fetch`: revisions, If-Match and all. */
class Server {
	revision = 1;
	segments = [segment('a', 0, 'one'), segment('b', 3, 'two'), segment('c', 6, 'three')];
	requests: { method: string; path: string; ifMatch: string | null; body: SegmentChanges }[] = [];
	down = false;
	/** Runs once, just before the next change is looked at. */
	meanwhile: (() => void) | null = null;
	#next = 1;

	fetch = async (input: RequestInfo | URL): Promise<Response> => {
		const request = input as Request;
		if (this.down) throw new TypeError('fetch failed');
		if (request.method === 'GET') return this.#answer();
		const body = (await request.json().catch(() => ({}))) as SegmentChanges;
		this.requests.push({ method: request.method, path: new URL(request.url).pathname, ifMatch: request.headers.get('If-Match'), body });
		this.meanwhile?.();
		this.meanwhile = null;
		if (request.headers.get('If-Match') !== `"${this.revision}"`) return problem(412, 'edit_conflict');
		for (const { id, ...changes } of body.edit ?? []) this.change(id, changes, false);
		for (const added of body.add ?? []) this.segments.push({ ...segment(`new${this.#next++}`, added.start_s, added.text), end_s: added.end_s });
		this.segments = this.segments.filter((s) => !body.remove?.includes(s.id)).sort((x, y) => x.start_s - y.start_s);
		this.revision += 1;
		return this.#answer();
	};

	change(id: string, changes: Partial<Segment>, counts = true): void {
		this.segments = this.segments.map((s) => (s.id === id ? { ...s, ...changes } : s));
		if (counts) this.revision += 1;
	}

	#answer(): Response {
		return Response.json({ revision: this.revision, segments: this.segments });
	}
}

const problem = (status: number, code: string) =>
	Response.json({ type: '', title: 'No.', status, code, detail: '', hint: 'Do otherwise.', instance: '', request_id: '' }, { status });

let server: Server;
let lines: LinesStore;
const line = (id: string) => lines.find(id)!;
const texts = () => lines.all.map((l) => l.text);

beforeEach(() => {
	server = new Server();
	vi.stubGlobal('fetch', server.fetch);
	vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
	lines = new LinesStore('job', 500);
	lines.take({ revision: server.revision, segments: server.segments });
});
afterEach(() => {
	vi.useRealTimers();
	vi.unstubAllGlobals();
});

const settle = () => vi.waitFor(() => expect(['saved', 'failed', 'conflict']).toContain(lines.saving));
async function autosave(): Promise<void> {
	await vi.advanceTimersByTimeAsync(600);
	await settle();
}

describe('saving', () => {
	it('sends only what changed, for the revision it was made on, when the person pauses', async () => {
		lines.write(line('b'), { text: 'tw' });
		await vi.advanceTimersByTimeAsync(300);
		lines.write(line('b'), { text: 'two!' });
		expect(server.requests).toHaveLength(0);
		expect(lines.saving).toBe('waiting');
		await autosave();
		expect(server.requests).toEqual([{ method: 'PATCH', path: '/api/jobs/job/segments', ifMatch: '"1"', body: { edit: [{ id: 'b', text: 'two!' }] } }]);
		expect(lines.revision).toBe(2);
		expect(lines.saving).toBe('saved');
	});

	it('keeps what is written while a save is under way, and saves it next', async () => {
		lines.write(line('a'), { text: 'first' });
		server.meanwhile = () => lines.write(line('a'), { text: 'first and more' });
		await lines.flush();
		expect(line('a').text).toBe('first and more');
		expect(line('a').theirs).toBeNull();
		await autosave();
		expect(server.segments[0]?.text).toBe('first and more');
	});

	it('does not take the echo of its own save for somebody else’s edit', async () => {
		lines.write(line('a'), { text: 'mine' });
		server.meanwhile = () => {
			lines.write(line('a'), { text: 'mine, longer' });
			lines.apply(2, [{ ...server.segments[0]!, text: 'mine' }], []); // the socket is faster than the answer
		};
		await lines.flush();
		expect(line('a').theirs).toBeNull();
		expect(line('a').text).toBe('mine, longer');
	});

	it('leaves a space alone that the server tidies away', async () => {
		lines.write(line('a'), { text: 'one ' });
		expect(line('a').dirty).toBe(false);
		lines.apply(2, [segment('a', 0, 'one')], []);
		expect(line('a').text).toBe('one ');
	});

	it('keeps the words when the server cannot be reached, and saves them later', async () => {
		server.down = true;
		lines.write(line('c'), { text: 'precious' });
		await autosave();
		expect(lines.saving).toBe('failed');
		expect(lines.error?.code).toBe('unreachable');
		expect(line('c').text).toBe('precious');
		server.down = false;
		lines.reconnected();
		await autosave();
		expect(server.segments[2]?.text).toBe('precious');
		expect(lines.saving).toBe('saved');
	});
});

describe('a conflict', () => {
	it('with another line is settled by reading again and saving once more', async () => {
		lines.write(line('a'), { text: 'mine' });
		server.change('c', { text: 'theirs' });
		await lines.flush();
		expect(server.requests.map((r) => r.ifMatch)).toEqual(['"1"', '"2"']);
		expect(texts()).toEqual(['mine', 'two', 'theirs']);
		expect(lines.conflicts).toHaveLength(0);
	});

	it('within one line keeps the person’s text and asks', async () => {
		lines.write(line('a'), { text: 'mine' });
		lines.write(line('b'), { text: 'also mine' });
		server.change('a', { text: 'theirs' });
		await lines.flush();
		expect(line('a').text).toBe('mine');
		expect(line('a').theirs).toEqual({ text: 'theirs' });
		expect(lines.saving).toBe('conflict');
		expect(server.segments.map((s) => s.text)).toEqual(['theirs', 'also mine', 'three']);
	});

	it('ends with mine or theirs', async () => {
		for (const [choice, expected] of [['mine', 'mine'], ['theirs', 'theirs']] as const) {
			lines.write(line('a'), { text: 'mine' });
			server.change('a', { text: 'theirs' });
			await lines.flush();
			lines.settle(line('a'), choice);
			await autosave();
			expect(line('a').text).toBe(expected);
			expect(server.segments[0]?.text).toBe(expected);
			server.change('a', { text: 'again' });
			lines.take({ revision: server.revision, segments: server.segments });
		}
	});

	it('is none when two people change different fields of a line', async () => {
		lines.write(line('a'), { text: 'mine' });
		server.change('a', { end_s: 2.5 });
		await lines.flush();
		expect(line('a').theirs).toBeNull();
		expect(server.segments[0]).toMatchObject({ text: 'mine', end_s: 2.5 });
		expect(line('a').end_s).toBe(2.5);
	});
});

describe('a lock', () => {
	it('of the start or the speed is saved, undone and done again', async () => {
		lines.write(line('a'), { start_locked: true });
		lines.write(line('b'), { locked_rate: 1.2 });
		await autosave();
		expect(server.requests[0]?.body).toEqual({ edit: [{ id: 'a', start_locked: true }, { id: 'b', locked_rate: 1.2 }] });
		await lines.undo();
		expect([line('a').start_locked, line('b').locked_rate]).toEqual([true, null]);
		await autosave();
		await lines.undo();
		await autosave();
		expect(server.segments.map((s) => [s.start_locked, s.locked_rate])).toEqual([[false, undefined], [undefined, null], [undefined, undefined]]);
		await lines.redo();
		await lines.redo();
		expect([line('a').start_locked, line('b').locked_rate]).toEqual([true, 1.2]);
	});

	it('comes back with a line that was removed', async () => {
		lines.write(line('b'), { start_locked: true, locked_rate: 0.9 });
		await lines.remove(line('b'));
		await lines.undo();
		await autosave();
		expect(server.segments[1]).toMatchObject({ text: 'two', start_locked: true, locked_rate: 0.9 });
	});

	it('that was set elsewhere too is a conflict like any other', async () => {
		lines.write(line('a'), { locked_rate: 1.3 });
		server.change('a', { locked_rate: 0.8, start_locked: true });
		await lines.flush();
		expect(line('a').theirs).toEqual({ locked_rate: 0.8 });
		expect(line('a').start_locked).toBe(true);
		lines.settle(line('a'), 'theirs');
		await autosave();
		expect(line('a').locked_rate).toBe(0.8);
		expect(lines.saving).toBe('saved');
	});
});

describe('what arrives over the socket', () => {
	it('adds, changes and removes lines in the order of their times', () => {
		lines.apply(2, [segment('d', 4.5, 'between'), segment('a', 0, 'ONE')], ['c']);
		expect(texts()).toEqual(['ONE', 'two', 'between']);
	});

	it('is ignored when it is older than what is known', () => {
		lines.apply(5, [segment('a', 0, 'newest')], []);
		lines.apply(4, [segment('a', 0, 'old')], ['b']);
		expect(texts()).toEqual(['newest', 'two', 'three']);
	});
});

describe('undo', () => {
	it('takes back a burst of typing in one step, and saves that', async () => {
		lines.write(line('a'), { text: 'o' });
		lines.write(line('a'), { text: 'on' });
		lines.write(line('b'), { text: 'zwei' });
		await autosave();
		await lines.undo();
		expect(texts()).toEqual(['on', 'two', 'three']);
		await lines.undo();
		expect(texts()).toEqual(['one', 'two', 'three']);
		await autosave();
		expect(server.segments.map((s) => s.text)).toEqual(['one', 'two', 'three']);
		await lines.redo();
		expect(texts()).toEqual(['on', 'two', 'three']);
	});

	it('brings a removed line back, and still knows it afterwards', async () => {
		lines.write(line('b'), { text: 'zwei' });
		await lines.remove(line('b'));
		expect(texts()).toEqual(['one', 'three']);
		await lines.undo();
		expect(texts()).toEqual(['one', 'zwei', 'three']);
		expect(server.segments.map((s) => s.text)).toEqual(['one', 'zwei', 'three']);
		await lines.undo();
		expect(texts()).toEqual(['one', 'two', 'three']);
	});

	it('takes an added line away again', async () => {
		await lines.add({ text: 'four', start_s: 9, end_s: 10, speaker: '' });
		expect(texts()).toEqual(['one', 'two', 'three', 'four']);
		await lines.undo();
		expect(server.segments).toHaveLength(3);
		await lines.redo();
		expect(texts()).toEqual(['one', 'two', 'three', 'four']);
	});
});

describe('a change of many lines', () => {
	it('is one step that the server takes back, and saves what was typed before', async () => {
		lines.write(line('a'), { text: 'typed' });
		const answers: unknown[] = [];
		const plain = server.fetch;
		vi.stubGlobal('fetch', async (input: Request) => {
			const path = new URL(input.url).pathname;
			if (!path.includes('/translation')) return plain(input);
			answers.push([path.split('/').slice(4).join('/'), input.headers.get('If-Match'), await input.json()]);
			server.change('b', { text: path.endsWith('undo') ? 'two' : 'dos', translation: path.endsWith('undo') ? '' : 'done', original: path.endsWith('undo') ? '' : 'two' });
			return Response.json({ revision: server.revision, segments: server.segments, undo: 'u1', kept: ['x'] });
		});
		await lines.flush();
		expect(await lines.bring({ text: '2. dos' }, lines.revision)).toBe('u1');
		expect(texts()).toEqual(['typed', 'dos', 'three']);
		lines.write(line('c'), { text: 'drei' });
		await lines.undo(); // what was typed after it
		expect(line('c').text).toBe('three');
		await lines.undo(); // the change of many lines
		expect(texts()).toEqual(['typed', 'two', 'three']);
		expect(answers).toEqual([['translation', '"2"', { text: '2. dos' }], ['translation/undo', expect.any(String), { undo: 'u1' }]]);
		await lines.undo(); // what was typed before it
		expect(line('a').text).toBe('one');
	});

	it('is what an undo takes back that is pressed when its lines are seen and its answer is not there yet', async () => {
		lines.write(line('a'), { text: 'typed' });
		await lines.flush();
		let answer = () => undefined as void;
		const answered = new Promise<void>((done) => (answer = done));
		vi.stubGlobal('fetch', async (input: Request) => {
			const undone = new URL(input.url).pathname.endsWith('undo');
			server.change('a', { text: undone ? 'typed' : 'uno' });
			if (undone) return Response.json({ revision: server.revision, segments: server.segments, undo: '', kept: [] });
			lines.apply(server.revision, server.segments, []); // the event is faster than the answer
			await answered;
			return Response.json({ revision: server.revision, segments: server.segments, undo: 'u1', kept: [] });
		});
		const brought = lines.bring({ text: '1. uno' }, lines.revision);
		await vi.waitFor(() => expect(line('a').text).toBe('uno'));
		const taken = lines.undo();
		answer();
		await Promise.all([brought, taken]);
		expect(line('a').text).toBe('typed');
	});
});
