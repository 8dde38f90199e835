"""A reference RTSP camera: GStreamer's server, playing QuickTime files.

Stand-alone, for the system's Python, which has the bindings that the virtual environment has not:

    apt-get install gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-{good,bad,ugly} gstreamer1.0-libav python3-gi
    /usr/bin/python3 tests/gst_rtsp_server.py --mount /cam file.mov --mount /other other.mov

Prints one JSON line, `{"urls": {"/cam": "rtsp://127.0.0.1:34567/cam", ...}}`, and serves until its standard input ends
or SIGTERM comes. Packets are taken from the file as they are: nothing is encoded. Each file plays from its beginning
for the first client of a mount and ends with the file, so write it longer than the test.
"""

import argparse
import json
import signal
import sys
from pathlib import Path

import gi  # type: ignore[import-not-found]

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
gi.require_version("GstPbutils", "1.0")
from gi.repository import GLib, Gst, GstPbutils, GstRtspServer  # type: ignore[import-not-found]  # noqa: E402

VIDEO_CHAINS = {
    "video/x-h264": "h264parse config-interval=-1 ! rtph264pay name=pay0 pt=96",
    "video/x-h265": "h265parse config-interval=-1 ! rtph265pay name=pay0 pt=96",
}
AUDIO_CHAINS = {
    "audio/mpeg": "aacparse ! rtpmp4gpay name=pay1 pt=97",
    "audio/x-alaw": "rtppcmapay name=pay1 pt=8",
    "audio/x-mulaw": "rtppcmupay name=pay1 pt=0",
}
DISCOVERY_NS = 20 * 10**9


def launch_line(path: Path) -> str:
    """The pipeline that takes a file's tracks apart and puts them into RTP packets."""
    found = GstPbutils.Discoverer.new(DISCOVERY_NS).discover_uri(path.resolve().as_uri())
    line = f'( filesrc location="{path.resolve()}" ! qtdemux name=file'
    for streams, pad, chains in (
        (found.get_video_streams(), "video_0", VIDEO_CHAINS),
        (found.get_audio_streams(), "audio_0", AUDIO_CHAINS),
    ):
        for stream in streams:
            line += f" file.{pad} ! queue ! {chains[stream.get_caps().get_structure(0).get_name()]}"
    return line + " )"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mount", nargs=2, action="append", required=True, metavar=("PATH", "FILE"))
    parser.add_argument("--port", default="0", help="0 takes a free one")
    arguments = parser.parse_args()
    mounts = arguments.mount
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(arguments.port)
    for path, file in mounts:
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(launch_line(Path(file)))
        factory.set_shared(True)
        server.get_mount_points().add_factory(path, factory)
    server.attach(None)
    urls = {path: f"rtsp://127.0.0.1:{server.get_bound_port()}{path}" for path, _ in mounts}
    print(json.dumps({"urls": urls}), flush=True)

    loop = GLib.MainLoop()
    GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, signal.SIGTERM, loop.quit)
    GLib.io_add_watch(sys.stdin.fileno(), GLib.PRIORITY_DEFAULT, GLib.IOCondition.HUP, lambda *_: loop.quit())
    loop.run()


if __name__ == "__main__":
    main()
