import { address, client, unwrap } from './client';
import type { DownloaderStatus, Link, LinkList } from './types';

export async function listLinks(): Promise<LinkList> {
	return unwrap(await client.GET('/api/links'));
}

export async function createLink(url: string): Promise<Link> {
	return unwrap(await client.POST('/api/links', { body: { url } }));
}

/** Stops the download and deletes what has come. */
export async function deleteLink(link_id: string): Promise<void> {
	unwrap(await client.DELETE('/api/links/{link_id}', { params: { path: { link_id } } }));
}

export async function retryLink(link_id: string): Promise<Link> {
	return unwrap(await client.POST('/api/links/{link_id}/retry', { params: { path: { link_id } } }));
}

/** Fetches captions of a finished link; the answer has the id of their upload. */
export async function chooseCaption(link_id: string, caption: string): Promise<Link> {
	return unwrap(await client.POST('/api/links/{link_id}/captions', { params: { path: { link_id } }, body: { caption } }));
}

export async function downloaderStatus(): Promise<DownloaderStatus> {
	return unwrap(await client.GET('/api/links/downloader'));
}

/** Fetches a newer yt-dlp; the answer is what is used from now on. */
export async function updateDownloader(): Promise<DownloaderStatus> {
	return unwrap(await client.POST('/api/links/downloader/update'));
}

export function linkPicture(link: Link): string | null {
	return link.thumbnail ? address(`/api/links/${link.id}/thumbnail`) : null;
}
