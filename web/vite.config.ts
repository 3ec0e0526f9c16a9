import { sveltekit } from '@sveltejs/kit/vite';
import tailwindcss from '@tailwindcss/vite';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

const server = process.env.AUTODUBBER_SERVER ?? 'http://127.0.0.1:8000';
const routes = ['/api', '/media', '/download', '/health', '/schema'];

/** SvelteKit hides its page announcer with an inline style, which our content policy refuses; app.css hides it instead. */
const withoutInlineStyle: Plugin = {
	name: 'without-inline-style',
	enforce: 'pre',
	transform: (code, id) => (id.endsWith('/generated/root.svelte') ? code.replace(/(<div id="svelte-announcer"[^>]*?)\sstyle="[^"]*"/, '$1') : null)
};

export default defineConfig({
	plugins: [withoutInlineStyle, tailwindcss(), sveltekit()],
	build: { target: 'es2022', assetsInlineLimit: 0 }, // the policy allows no data: fonts or scripts
	server: {
		proxy: {
			...Object.fromEntries(routes.map((route) => [route, { target: server }])),
			'/ws': { target: server, ws: true }
		}
	},
	test: {
		include: ['src/**/*.test.ts'],
		environment: 'node'
	},
	resolve: process.env.VITEST ? { conditions: ['browser'] } : undefined
});
