import { describe, expect, it } from 'vitest';
import type { DubOptions, MediaInfo, Report } from '$lib/api/types';
import { codecFor, decibels, filesSummary, merged, soundSummary, unsuitable } from './options';
import { charactersToCut, findings, offset } from './report';
import type { Job } from '$lib/api/types';
import { heardTrack, trackFacts, trackName } from './tracks';

const fine: Report = {
	lines: [], share_over_125: 0, mean_rate: 1.03, highest_rate: 1.18, worst_offset_s: 0.3, to_shorten: 0, late: 0, loudness_lufs: -16.1,
	target_lufs: -16, true_peak_db: -1, source_duration_s: 60, duration_difference_s: 0.02, picture: 'copied'
};
const said = (changes: Partial<Report>) => Object.fromEntries(findings({ ...fine, ...changes }).map((f) => [f.id, [f.good, f.words, f.figure]]));

describe('the findings of a report', () => {
	it('are all good for a good render, in words and figures', () => {
		expect(findings(fine).every((finding) => finding.good)).toBe(true);
		expect(said({})).toMatchObject({
			pace: [true, 'Every line at an easy pace', 'up to 1.18×'],
			timing: [true, 'Every line starts in time', 'at most +0.3 s'],
			loudness: [true, 'As loud as asked for', '−16.1 LUFS, target −16'],
			picture: [true, 'Picture copied, not touched', '']
		});
	});

	it('hide no bad news', () => {
		const bad = said({ to_shorten: 3, late: 1, share_over_125: 0.125, highest_rate: 1.42, worst_offset_s: 0.83, loudness_lufs: -18, true_peak_db: 0.4, duration_difference_s: -0.5 });
		expect(bad).toMatchObject({
			pace: [false, '3 lines to shorten', '13 % over 1.25×, up to 1.42×'],
			timing: [false, '1 line starts late', 'at most +0.8 s'],
			loudness: [false, 'Quieter than asked for', '−18.0 LUFS, target −16'],
			peak: [false, 'Peaks may distort', '0.4 dBTP'],
			length: [false, 'Shorter than the original', '−0.50 s']
		});
	});

	it('leave out what there is none of', () => {
		expect(said({ picture: null, true_peak_db: null, loudness_lufs: null })).not.toHaveProperty('picture');
		expect(said({ loudness_lufs: null }).loudness).toEqual([false, 'There is no sound at all', '']);
		expect(said({ target_lufs: null }).loudness).toEqual([true, 'Loudness not adjusted', '−16.1 LUFS']);
		expect(said({ picture: 'libx264' }).picture).toEqual([true, 'Picture encoded again with subtitles', 'libx264']);
		const cut = said({ picture: 'libx264', encoded_for: 'edits' }).picture;
		expect(cut).toEqual([true, 'Picture encoded: a copy would show what the file cuts out', 'libx264']);
	});

	it('tell that the subtitle file had faults, and are not good where something was lost', () => {
		const subtitles = { format: 'srt', encoding: 'utf-8', guessed: false, sample: '', cues: 2, rolling: false };
		const fault = { line: 6, what: 'the times cannot be read', done: 'left out', left_out: true };
		expect(said({ subtitles: { ...subtitles, left_out: 0, repaired: 0, faults: [] } })).not.toHaveProperty('subtitles');
		expect(said({ subtitles: { ...subtitles, left_out: 1, repaired: 2, faults: [fault] } }).subtitles).toEqual([false, 'The subtitle file had faults', '1 left out, 2 repaired']);
		expect(said({ subtitles: { ...subtitles, left_out: 0, repaired: 1, faults: [fault] } }).subtitles?.[0]).toBe(true);
	});

	it('tell what was joined and what was not spoken', () => {
		expect(said({})).not.toHaveProperty('joined');
		expect(said({ joined: { cues: 42, lines: 1 }, left_out: 3 })).toMatchObject({
			joined: [true, 'Short cues joined to sentences', '42 to 1 line'],
			'left-out': [true, 'Sounds, music and names not spoken', '3 lines']
		});
	});

	it('do not round a few hurried lines among thousands away', () => {
		expect(said({ to_shorten: 4, share_over_125: 0.0004 }).pace?.[2]).toContain('under 1 %');
	});
});

describe('how much a line should be shortened', () => {
	it('is nothing for a line that is not hurried', () => {
		expect(charactersToCut({ text: 'x'.repeat(100), rate: 1.25 })).toBe(0);
	});

	it('brings a hurried line to a calm pace', () => {
		const cut = charactersToCut({ text: 'x'.repeat(100), rate: 1.5 });
		expect(((100 - cut) / 100) * 1.5).toBeLessThanOrEqual(1.2);
		expect(charactersToCut({ text: 'Oh', rate: 1.26 })).toBe(1);
	});
});

describe('offsets and levels', () => {
	it('say their direction', () => {
		expect([0.31, -0.12, 0.04].map(offset)).toEqual(['+0.3 s', '−0.1 s', 'on time']);
		expect([-12, 3, 0, -0.4].map((db) => decibels(db))).toEqual(['−12 dB', '+3 dB', '0 dB', '0 dB']);
	});
});

const options = {
	mix: { background: 'duck', duck_db: null, keep_db: 0, loudness_lufs: -16 },
	output: { container: 'auto', audio_codec: 'aac', audio_format: 'm4a', burn_subtitles: false }
} as unknown as DubOptions;
const media = (codec: string) => ({ video: { codec } }) as MediaInfo;

describe('options in a few words', () => {
	it('say what the sound will be', () => {
		expect(soundSummary(options)).toBe('Original as low as needed, −16 LUFS');
		expect(soundSummary(merged(options, { mix: { duck_db: -18, loudness_lufs: null } }))).toBe('Original lower by 18 dB, level left');
		expect(soundSummary(merged(options, { mix: { background: 'keep', keep_db: -6 } }))).toBe('Original at −6 dB, −16 LUFS');
		expect(soundSummary(merged(options, { mix: { background: 'replace' } }))).toBe('Only the new voice, −16 LUFS');
	});

	it('say what the files will be', () => {
		expect(filesSummary(options)).toBe('MP4 or MKV, audio as M4A');
		expect(filesSummary(merged(options, { output: { container: 'mkv', audio_codec: 'opus', audio_format: 'flac' } }))).toBe('MKV with Opus, audio as FLAC');
	});

	it('never ask for a sound that the container does not take', () => {
		expect([codecFor('webm', 'aac'), codecFor('mp4', 'opus'), codecFor('auto', 'opus'), codecFor('mkv', 'opus')]).toEqual(['opus', 'aac', 'aac', 'opus']);
	});

	it('warn of a picture that a container does not take, before the server does', () => {
		expect([unsuitable('webm', options, media('h264')), unsuitable('mp4', options, media('vp8'))]).toEqual(['H.264', 'VP8']);
		expect([unsuitable('webm', options, media('vp9')), unsuitable('webm', options, null), unsuitable('mkv', options, media('prores'))]).toEqual(['', '', '']);
		expect(unsuitable('webm', { output: { burn_subtitles: true } }, media('vp9'))).toBe('H.264');
	});
});

describe('a sound track', () => {
	it('is counted from 1 and named by what is known', () => {
		const track = { index: 1, track: 0, codec: 'aac', sample_rate_hz: 48_000, channels: 2, language: 'en', title: 'Commentary' };
		expect(trackName(track)).toBe('1 · English · Commentary');
		expect(trackName({ ...track, track: 1, language: 'und', title: null })).toBe('2');
	});

	it('tells what is known of it, and that nothing is heard in it', () => {
		const track = { index: 1, track: 0, codec: 'aac', sample_rate_hz: 48_000, channels: 2, language: 'en', title: null };
		expect(trackFacts({ ...track, default: true })).toBe('stereo, AAC, default');
		expect(trackFacts({ ...track, channels: 3, purpose: 'commentary', silent: true })).toBe('commentary, 3 channels, AAC, silent');
	});

	it('is the chosen one, else the one that the server took', () => {
		const audio = [0, 1].map((track) => ({ index: track, track, codec: 'aac', sample_rate_hz: 48_000, channels: 2, language: null, title: null }));
		const job = (audio_track: number | null, heard: number | null) => ({ options: { recognition: { audio_track } }, media: { audio, heard } }) as unknown as Job;
		expect([job(null, 1), job(0, 1), job(null, null)].map((each) => heardTrack(each)?.track)).toEqual([1, 0, 0]);
	});
});
