/** Codes that Whisper recognises, for when the model does not say; their names come from the browser. */
export const LANGUAGES: readonly string[] = (
	'af am ar as az ba be bg bn bo br bs ca cs cy da de el en es et eu fa fi fo fr gl gu ha he hi hr ht hu hy id is it ja ka kk km kn ko ' +
	'la lb ln lo lt lv mg mi mk ml mn mr ms mt my ne nl nn no oc pa pl ps pt ro ru sa sd si sk sl sn so sq sr su sv sw ta te tg th tk tl tr ' +
	'tt uk ur uz vi yi yo zh'
).split(' ');

const names = new Intl.DisplayNames(['en'], { type: 'language', fallback: 'code' });

export function languageName(code: string | null): string {
	if (!code) return 'Detect';
	try {
		return names.of(code) ?? code;
	} catch {
		return code; // a code that no standard knows is shown as it is
	}
}

/** The language of a job, with how certain recognition is of it where it found it. */
export function languageFound(code: string | null, certainty: number | null | undefined): string {
	const name = languageName(code);
	return certainty === null || certainty === undefined ? name : `${name} (${Math.round(certainty * 100)} % certain)`;
}

/** Languages by name. */
export function languageChoices(codes: readonly string[]): { code: string; name: string }[] {
	return codes.map((code) => ({ code, name: languageName(code) })).sort((a, b) => a.name.localeCompare(b.name, 'en'));
}
