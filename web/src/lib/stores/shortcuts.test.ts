import { describe, expect, it } from 'vitest';
import { pressed } from './shortcuts.svelte';

const press = (key: string, held: Partial<Record<'ctrlKey' | 'metaKey' | 'altKey' | 'shiftKey', boolean>> = {}) =>
	pressed({ key, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...held });

describe('a key press', () => {
	it('is written the way shortcuts are', () => {
		expect(press(' ')).toBe('Space');
		expect(press('z', { ctrlKey: true })).toBe('Mod+Z');
		expect(press('Z', { metaKey: true, shiftKey: true })).toBe('Mod+Shift+Z');
		expect(press('ArrowDown', { altKey: true })).toBe('Alt+ArrowDown');
	});

	it('needs no shift for a sign that some keyboards have behind it', () => {
		expect(press('?', { shiftKey: true })).toBe('?');
		expect(press('/')).toBe('/');
	});
});
