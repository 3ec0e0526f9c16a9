"""The decoders that may run on untrusted files. `app.domain.media.FORMAT_WHITELIST` lists the containers.

FFmpeg has 500 decoders, and memory errors are found in the rarely used ones (MagicYUV: CVE-2026-8461). These are the
codecs that cameras, phones, editors, browsers and recorders write, by the names of FFmpeg's decoders.
"""

from __future__ import annotations

from typing import Final

_VIDEO = (
    "h264,hevc,av1,libdav1d,vp8,vp9,libvpx,libvpx-vp9,vp6,vp6f,vp6a,mpeg1video,mpeg2video,mpegvideo,mpeg4,msmpeg4v1,msmpeg4v2,msmpeg4,"
    "h261,h263,h263i,h263p,flv,theora,vp3,mjpeg,wmv1,wmv2,wmv3,vc1,rv10,rv20,rv30,rv40,svq1,svq3,cinepak,dvvideo,prores,dnxhd,cfhd,ffv1,"
    "huffyuv,ffvhuff,utvideo,rawvideo,v210,qtrle,rpza,png,gif,webp,bmp"
)
_AUDIO = (
    "aac,aac_latm,mp1,mp1float,mp2,mp2float,mp3,mp3float,ac3,eac3,dca,truehd,mlp,flac,alac,vorbis,opus,libopus,speex,wavpack,tta,"
    "wmav1,wmav2,wmapro,wmalossless,wmavoice,amrnb,amrwb,libopencore_amrnb,libopencore_amrwb,gsm,gsm_ms,cook,ralf,sipr,atrac3,qdm2,qdmc,nellymoser,"
    "s302m,pcm_alaw,pcm_mulaw,pcm_bluray,pcm_dvd,pcm_f32be,pcm_f32le,pcm_f64be,pcm_f64le,pcm_s8,pcm_s8_planar,pcm_u8,pcm_s16be,pcm_s16be_planar,"
    "pcm_s16le,pcm_s16le_planar,pcm_u16be,pcm_u16le,pcm_s24be,pcm_s24le,pcm_s24le_planar,pcm_u24be,pcm_u24le,pcm_s32be,pcm_s32le,"
    "pcm_s32le_planar,pcm_u32be,pcm_u32le,adpcm_ima_wav,adpcm_ima_qt,adpcm_ms,adpcm_swf,adpcm_yamaha,g722,g726,g726le"
)
_SUBTITLES = "mov_text,subrip,srt,text,webvtt,ass,ssa"

CODEC_WHITELIST: Final = f"{_VIDEO},{_AUDIO},{_SUBTITLES}"
