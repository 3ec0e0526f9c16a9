import { describe, expect, it } from 'vitest';
import { bytes, money, percent } from './numbers';
import { bars, readPeaks } from './peaks';
import { charactersOver, charactersPerSecond, pace } from './reading';
import { SpeedMeter } from './speed';
import { about, ago, clock, parseClock } from './time';

describe('times', () => {
	it('are shown with as many digits as asked for', () => {
		expect(clock(0)).toBe('0:00');
		expect(clock(62.46, 1)).toBe('1:02.5');
		expect(clock(3723.4)).toBe('1:02:03');
	});

	it('carry over when they are rounded', () => {
		expect(clock(59.96, 1)).toBe('1:00.0');
		expect(clock(3599.999, 2)).toBe('1:00:00.00');
	});

	it('are read back the way they are shown, and as people write them', () => {
		for (const time_s of [0, 0.05, 59.99, 62.5, 3723.25]) expect(parseClock(clock(time_s, 2))).toBeCloseTo(time_s, 6);
		expect(parseClock(' 1:02,5 ')).toBe(62.5);
		expect(parseClock('90')).toBe(90);
	});

	it('that are none are refused', () => {
		for (const text of ['', 'abc', '1:', '-3', '1:2:3:4', '1.5:00']) expect(parseClock(text)).toBeNull();
	});

	it('to wait are said roughly', () => {
		expect([2, 12, 58, 170, 3600, 5000].map(about)).toEqual(['a few seconds', 'about 10 s', 'about 1 min', 'about 3 min', 'about 1 h', 'about 1 h 23 min']);
	});

	it('past are said from now', () => {
		const now_ms = 1_000_000_000_000;
		expect(ago(now_ms / 1000 - 5, now_ms)).toBe('just now');
		expect(ago(now_ms / 1000 - 125, now_ms)).toBe('2 min. ago');
		expect(ago(now_ms / 1000 - 86_400, now_ms)).toBe('yesterday');
	});
});

describe('numbers', () => {
	it('of bytes are short, and limits are round', () => {
		expect([0, 999, 1500, 2_140_000, 999_950_000, 2 ** 31].map(bytes)).toEqual(['0 B', '999 B', '1.5 kB', '2.1 MB', '1.0 GB', '2 GB']);
	});

	it('never promise 100 % before the end', () => {
		expect(percent(0.9999)).toBe('99 %');
		expect(percent(1)).toBe('100 %');
	});

	it('of money are not nothing when they are little', () => {
		expect([0, 0.002, 1.5].map(money)).toEqual(['$0.00', 'under $0.01', '$1.50']);
	});
});

describe('the pace of a line', () => {
	it('is easy for ordinary speech and too fast for twice as much of it', () => {
		const text = 'The glue needs ten minutes to dry.';
		expect(pace(charactersPerSecond(text, 2.2))).toBe('easy');
		expect(pace(charactersPerSecond(text, 1.1))).toBe('too-fast');
	});

	it('says by how much a line is too long, so that the shorter one fits', () => {
		const text = 'x'.repeat(100);
		const over = charactersOver(text, 2);
		expect(over).toBeGreaterThan(0);
		expect(charactersOver(text.slice(over), 2)).toBe(0);
	});

	it('counts a Chinese character for what it takes to say it', () => {
		expect(charactersPerSecond('我们今天做一张小木桌', 2)).toBeGreaterThan(charactersPerSecond('abcdefghij', 2) * 2);
	});
});

describe('the speed of an upload', () => {
	it('is told from the last seconds, not from the beginning', () => {
		const meter = new SpeedMeter();
		for (let second = 0; second <= 10; second += 1) meter.mark(second * 1000, second);
		let speed = 0;
		for (let second = 11; second <= 20; second += 1) speed = meter.mark(10_000 + (second - 10) * 5000, second);
		expect(speed).toBeCloseTo(5000);
	});

	it('is not guessed from the first moment', () => {
		const meter = new SpeedMeter();
		meter.mark(0, 0);
		expect(meter.mark(1_000_000, 0.1)).toBe(0);
	});
});

describe('the waveform', () => {
	const file = (values: number[]) => {
		const buffer = new ArrayBuffer(24 + values.length);
		const view = new DataView(buffer);
		[2, 1, 48_000, 512, values.length / 2, 1].forEach((value, i) => view.setInt32(i * 4, value, true));
		new Int8Array(buffer, 24).set(values);
		return buffer;
	};

	it('is read from audiowaveform’s format', () => {
		const peaks = readPeaks(file([-64, 32, -8, 127]));
		expect(peaks?.length).toBe(2);
		expect(peaks?.points_per_s).toBe(93.75);
		expect(peaks?.at(0)).toBe(0.5);
	});

	it('is refused in any other', () => {
		expect(readPeaks(new ArrayBuffer(3))).toBeNull();
		expect(readPeaks(new ArrayBuffer(64))).toBeNull();
	});

	it('keeps the loudest point of every bar', () => {
		const peaks = readPeaks(file([0, 0, -128, 0, 0, 64, 0, 0]))!;
		expect(bars(peaks, 2, 4 / peaks.points_per_s)).toEqual([1, 0.5]);
	});
});
