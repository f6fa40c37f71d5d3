"""Clip in, restored clip out: frames streamed, everything beside them copied, resumable. Needs the extra `video`."""
