"""Open a page of `etude inspect` in headless Chromium, play it, and print what it came to as one JSON object.

usage: inspect_page.py PAGE [--width PIXELS] [--dark] [--screenshot FILE]

`cards` has the data attributes of every signal's card, `darkest` where the darkest pixel of its last canvas is (parts
of its width from the left and of its height from the bottom), `errors` whatever went wrong or was logged, `requests`
what the page asked for besides itself, `overflow` the pixels by which it is wider than the window, `played` how
space, arrows and clicks were answered. Only Python's own library is used: the browser is spoken to over a pipe.
"""
import argparse
import base64
import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"]
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage", "--hide-scrollbars",
    "--mute-audio", "--remote-debugging-pipe",
]
SECONDS = 120
DARKEST = """[...document.querySelectorAll('.card')].map(card => {
  const canvas = [...card.querySelectorAll('canvas')].at(-1);
  if (!canvas) return null;
  const {width, height} = canvas, {data} = canvas.getContext('2d').getImageData(0, 0, width, height);
  let least = Infinity, at = 0;
  for (let pixel = 0; pixel < width * height; pixel++) {
    const [r, g, b, alpha] = data.subarray(4 * pixel, 4 * pixel + 4);
    const light = alpha < 255 ? 765 : r + g + b;
    if (light < least) [least, at] = [light, pixel];
  }
  return [(at % width + 0.5) / width, 1 - (Math.floor(at / width) + 0.5) / height];
})"""


class Browser:
    """Commands and events of the DevTools protocol, each a JSON object that ends in a zero byte."""

    def __init__(self, program, profile):
        read_here, write_there = os.pipe()
        read_there, write_here = os.pipe()

        def wire():
            # The browser reads from 3 and writes to 4.
            read, write = os.dup(read_there), os.dup(write_there)
            os.dup2(read, 3)
            os.dup2(write, 4)

        self.process = subprocess.Popen(
            [program, *FLAGS, f"--user-data-dir={profile}"], preexec_fn=wire, close_fds=False,
            start_new_session=True, env={**os.environ, "TMPDIR": profile},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(read_there)
        os.close(write_there)
        self.read, self.write = read_here, write_here
        self.bytes, self.number, self.events, self.session = b"", 0, [], None
        self.end = time.monotonic() + SECONDS

    def message(self):
        while b"\0" not in self.bytes:
            if not select.select([self.read], [], [], max(0, self.end - time.monotonic()))[0]:
                sys.exit(f"the browser has not answered in {SECONDS} seconds")
            more = os.read(self.read, 1 << 20)
            if not more:
                sys.exit("the browser has ended")
            self.bytes += more
        message, self.bytes = self.bytes.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **parameters):
        self.number += 1
        command = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            command["sessionId"] = self.session
        data = json.dumps(command).encode() + b"\0"
        while data:
            data = data[os.write(self.write, data):]
        while True:
            message = self.message()
            if message.get("id") != self.number:
                self.events.append(message)
            elif "error" in message:
                sys.exit(f"{method}: {message['error']['message']}")
            else:
                return message["result"]

    def close(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def value(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            sys.exit(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def until(self, expression, seconds=10):
        """Whether it becomes true in that time."""
        end = time.monotonic() + seconds
        while not (answer := bool(self.value(expression))) and time.monotonic() < end:
            time.sleep(0.05)
        return answer

    def key(self, name, code, modifiers=0, text=""):
        event = {"key": name, "windowsVirtualKeyCode": code, "modifiers": modifiers}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **event)
        self.call("Input.dispatchKeyEvent", type="keyUp", **event)

    def click(self, x, y):
        for kind in ["mouseMoved", "mousePressed", "mouseReleased"]:
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)


def play(browser):
    """The first card that can be played: keys, the cursor, a click in its middle, the next card."""
    card = "document.querySelector('.card[data-state]')"
    if not browser.value(f"!!{card}"):
        return None
    browser.value(f"{card}.focus()")
    browser.key(" ", 32, text=" ")
    played = {"space plays": browser.until(f"{card}.dataset.state === 'playing' && {card}.dataset.position > 0.1")}
    browser.key(" ", 32, text=" ")
    played["space pauses"] = browser.until(f"{card}.dataset.state === 'paused'")
    before = browser.value(f"+{card}.dataset.position")
    browser.key("ArrowRight", 39, modifiers=8)
    played["shift and an arrow seek"] = browser.value(f"+{card}.dataset.position") > before
    plot = f"{card}.querySelector('.over').getBoundingClientRect()"
    browser.value(f"scrollTo(0, scrollY + {plot}.top - 100)")
    x, y = browser.value(f"[{plot}.left + {plot}.width / 2, {plot}.top + 20]")
    browser.click(x, y)
    played["position after a click in the middle"] = browser.value(f"+{card}.dataset.position")
    cursor = f"{card}.querySelector('.cursor').getBoundingClientRect()"
    played["cursor to middle in pixels"] = browser.value(f"({cursor}.left + {cursor}.right) / 2") - x
    played["hover"] = browser.value(f"{card}.querySelector('.read').textContent")
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=0, y=0)
    browser.value(f"{card}.focus()")
    browser.key("ArrowRight", 39)
    cards = "[...document.querySelectorAll('.card')]"
    played["card after an arrow"] = browser.value(f"{cards}.indexOf(document.activeElement)")
    browser.value("document.activeElement.blur()")
    return played


def wrong(browser):
    """What was logged or went wrong, and what was asked for besides the page."""
    errors, requests = [], []
    for event in browser.events:
        method, about = event.get("method"), event.get("params", {})
        if method == "Runtime.exceptionThrown":
            details = about["exceptionDetails"]
            errors.append(details.get("exception", {}).get("description", details["text"]))
        elif method == "Runtime.consoleAPICalled":
            errors.append(" ".join(str(each.get("value", each.get("description"))) for each in about["args"]))
        elif method == "Log.entryAdded":
            errors.append(about["entry"]["text"])
        elif method == "Network.requestWillBeSent" and about["request"]["url"].split(":")[0] != "data":
            requests.append(about["request"]["url"])
    return errors, requests[1:]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("page", type=pathlib.Path)
    parser.add_argument("--width", type=int, default=1600)
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--screenshot", type=pathlib.Path)
    asked = parser.parse_args()
    program = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        print(f"skip: no Chromium on the PATH ({', '.join(NAMES)}), and CHROMIUM does not name one")
        return
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(program, profile)
        try:
            target = browser.call("Target.createTarget", url="about:blank")["targetId"]
            browser.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ["Page", "Runtime", "Log", "Network"]:
                browser.call(f"{domain}.enable")
            size = {"width": asked.width, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
            browser.call("Emulation.setDeviceMetricsOverride", **size)
            scheme = {"name": "prefers-color-scheme", "value": "dark" if asked.dark else "light"}
            browser.call("Emulation.setEmulatedMedia", features=[scheme])
            browser.call("Page.navigate", url=asked.page.resolve().as_uri())
            ready = browser.until("document.documentElement?.dataset.ready === 'true'", 60)
            # Two frames, so that what is drawn after a change of size is drawn.
            browser.value("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
            found = {
                "ready": ready,
                "title": browser.value("document.title"),
                "cards": browser.value("[...document.querySelectorAll('.card')].map(card => ({...card.dataset}))"),
                "darkest": browser.value(DARKEST),
                "rows": browser.value("document.querySelectorAll('tbody tr').length"),
                "notes": browser.value("[...document.querySelectorAll('.notes li')].map(note => note.textContent)"),
                "overflow": browser.value("document.documentElement.scrollWidth - innerWidth"),
            }
            if asked.screenshot:
                size = browser.call("Page.getLayoutMetrics")["cssContentSize"]
                clip = {**size, "scale": 1}
                picture = browser.call("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
                asked.screenshot.write_bytes(base64.b64decode(picture["data"]))
            found["played"] = play(browser)
            found["errors"], found["requests"] = wrong(browser)
            found["counted"] = browser.value("document.documentElement.dataset.errors")
            print(json.dumps(found, ensure_ascii=False))
        finally:
            browser.close()


main()
