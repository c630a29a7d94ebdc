"""From a video file to a published title: encode, package, index."""
