import adapter from '@sveltejs/adapter-static';
import { vitePreprocess } from '@sveltejs/vite-plugin-svelte';

/** @type {import('@sveltejs/kit').Config} */
export default {
	preprocess: vitePreprocess(),
	compilerOptions: { runes: true },
	kit: {
		// One page for every address: the server answers them all with index.html and computes the hash of its start script.
		adapter: adapter({ fallback: 'index.html', precompress: true }),
		version: { name: 'studio' }, // files are named by content; a time stamp would make every build differ
		typescript: {
			config: (config) => ({ ...config, include: [...config.include, '../vite.config.ts'] })
		}
	}
};
