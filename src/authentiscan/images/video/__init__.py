"""Frames of videos and animations, spread over the clip; the untrusted part in a process apart."""

from authentiscan.images.video.animation import ANIMATED, is_animated, open_animation
from authentiscan.images.video.clip import DEFAULT_VIDEO_LIMITS, Clip, ClipFacts, Frame, VideoLimits
from authentiscan.images.video.containers import container_of
from authentiscan.images.video.reader import open_video

__all__ = [
    "ANIMATED",
    "DEFAULT_VIDEO_LIMITS",
    "Clip",
    "ClipFacts",
    "Frame",
    "VideoLimits",
    "container_of",
    "is_animated",
    "open_animation",
    "open_video",
]
