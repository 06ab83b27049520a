#!/usr/bin/env python3
"""examples/chat on its four processes, in two pages of a real browser, by
keyboard: they talk from different worker processes, both of which are killed
while one owes an answer, and the pages come back and talk again.

    tests/browser/chat.py CHAT_BINARY PICTURE_FOLDER

Writes chat.png and chat-narrow.png (320 pixels, dark) into the folder. Every
wait is for a change of the page, with a deadline. The browser reaches
127.0.0.1 and nothing else.
"""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

DEADLINE = 30  # seconds, for each wait

WAIT_FOR_TEXT = """
const [id, text, done] = arguments;
const watcher = new MutationObserver(look);
function look() {
  if (!document.getElementById(id).textContent.includes(text)) return;
  watcher.disconnect();
  done();
}
watcher.observe(document.body,
                {subtree: true, childList: true, characterData: true});
look();
"""


class Chat:
    """The server, in the background, with a run directory of its own."""

    def __init__(self, binary, directory):
        self._binary = binary
        self._directory = directory

    def command(self, *words):
        """What `chat WORDS` says on stdout."""
        return subprocess.run(
            [self._binary, *words, "--run-dir", self._directory], check=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            timeout=DEADLINE).stdout

    def __enter__(self):
        # Returns when all processes are ready.
        self.command("start", "-d", "--listen", "websocket://127.0.0.1:0")
        return self

    def __exit__(self, *_):
        self.command("stop")

    def workers(self):
        """Its worker processes, as status has them."""
        return json.loads(self.command("status", "--json"))["workers"]

    def received(self):
        """Bytes by process and connection."""
        known = json.loads(self.command("connections", "--json"))
        return {(one["pid"], one["id"]): one["bytesRead"] for one in known}


class Page:
    """One window of the browser."""

    def __init__(self, driver):
        self._driver = driver
        driver.switch_to.new_window("window")
        self._window = driver.current_window_handle

    def _look(self):
        self._driver.switch_to.window(self._window)
        return self._driver

    def wait(self, element, text):
        """Until the element of that id contains the text."""
        print(f"  waiting for {text!r} in #{element}", flush=True)
        self._look().execute_async_script(WAIT_FOR_TEXT, element, text)

    def type(self, text):
        """Into whatever has the focus."""
        self._look().switch_to.active_element.send_keys(text)

    def get(self, url):
        self._look().get(url)

    def join(self, url, name):
        self.get(url)
        self.type(name + Keys.ENTER)
        self.wait("status", "Connected.")

    def close(self):
        self._look().close()

    def count(self, selector):
        return len(self._look().find_elements(By.CSS_SELECTOR, selector))

    def texts(self, selector):
        return [element.text for element in
                self._look().find_elements(By.CSS_SELECTOR, selector)]

    def emulate(self, width, height, scheme):
        driver = self._look()
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": height, "deviceScaleFactor": 1,
            "mobile": False})
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [
            {"name": "prefers-color-scheme", "value": scheme}]})

    def width(self):
        return self._look().execute_script(
            "return document.documentElement.scrollWidth")

    def picture(self, path):
        assert self._look().save_screenshot(str(path)), path


def options(profile):
    """Of a browser that stays on this machine."""
    chosen = webdriver.ChromeOptions()
    chosen.binary_location = "/usr/bin/chromium"
    for argument in (
            "headless=new", "no-first-run", "no-proxy-server", "disable-sync",
            "disable-background-networking", "disable-component-update",
            "disable-default-apps", "disable-dev-shm-usage", "disable-gpu",
            "host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
            f"user-data-dir={profile}"):
        chosen.add_argument("--" + argument)
    if os.getuid() == 0:
        chosen.add_argument("--no-sandbox")
    chosen.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return chosen


@contextlib.contextmanager
def browser(profile):
    driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"),
                              options=options(profile))
    try:
        driver.set_script_timeout(DEADLINE)
        driver.set_page_load_timeout(DEADLINE)
        yield driver
    finally:
        driver.quit()


def talk(ada, bob, round_name):
    ada.type(f"{round_name}: hello Bob" + Keys.ENTER)
    bob.wait("log", f"Ada: {round_name}: hello Bob")
    bob.type(f"{round_name}: hello <b>Ada</b>" + Keys.ENTER)
    ada.wait("log", f"Bob: {round_name}: hello <b>Ada</b>")


def home(chat, page, text):
    """The worker process that hears what the page says."""
    before = chat.received()
    page.type(text + Keys.ENTER)
    for _ in range(1000):
        grown = {pid for (pid, socket), size in chat.received().items()
                 if (pid, socket) in before and size > before[pid, socket]}
        if grown:
            assert len(grown) == 1, grown
            return grown.pop()
    raise AssertionError("no process has heard " + text)


def join_apart(chat, driver, url):
    """Ada and Bob, in different processes; and which those are."""
    ada = Page(driver)
    ada.join(url, "Ada")
    adas = home(chat, ada, "Where am I?")
    for attempt in range(50):
        bob = Page(driver)
        bob.join(url, "Bob")
        ada.wait("hereTitle", "Here (2)")
        bobs = home(chat, bob, f"And I? ({attempt})")
        if bobs != adas:
            return ada, bob, (adas, bobs)
        bob.close()
        ada.wait("hereTitle", "Here (1)")
    raise AssertionError("all connections are in one process")


def check(chat, driver, pictures):
    workers = chat.workers()
    assert len(workers) == 4, workers
    url = "http://" + workers[0]["address"].split("://")[1]
    ada, bob, homes = join_apart(chat, driver, url)
    talk(ada, bob, "first")
    assert ada.count("#log b") == 0, "HTML of a line became the page's"
    complaints = driver.get_log("browser")
    assert not complaints, complaints

    # What she says to a process that answers no more is not lost.
    os.kill(homes[0], signal.SIGSTOP)
    ada.type("in between" + Keys.ENTER)
    for pid in homes:
        os.kill(pid, signal.SIGKILL)
    for page in ada, bob:
        page.wait("log", "Connected again.")
        page.wait("log", "Ada: in between")
        page.wait("hereTitle", "Here (2)")
    talk(ada, bob, "second")
    assert not {worker["pid"] for worker in chat.workers()} & set(homes)
    for page in ada, bob:
        said = page.texts("#log .text")
        assert said[-5:] == [
            "first: hello Bob", "first: hello <b>Ada</b>", "in between",
            "second: hello Bob", "second: hello <b>Ada</b>"], said
        assert len(said) == len(set(said)), said
        assert page.count("#log .pending") == 0

    ada.emulate(900, 600, "light")
    ada.picture(pictures / "chat.png")
    bob.emulate(320, 560, "dark")
    assert bob.width() <= 320, bob.width()
    bob.picture(pictures / "chat-narrow.png")
    check_form(driver, url, bob)


def check_form(driver, url, bob):
    """What the form refuses; and that a reload and Leave are seen."""
    other = Page(driver)
    other.get(url)
    other.type(Keys.ENTER)
    other.wait("nameError", "1 to 32 characters")
    other.type("Bob" + Keys.ENTER)
    other.wait("nameError", "Somebody in this room has that name.")
    other.type(Keys.BACKSPACE * 3 + "Cy" + Keys.ENTER)
    other.wait("status", "Connected.")
    other.wait("log", "Ada: in between")
    bob.wait("log", "Cy joined")
    other.get(url)
    bob.wait("log", "Cy left")
    other.type(Keys.ENTER)  # the name is still there
    bob.wait("hereTitle", "Here (3)")
    other.wait("status", "Connected.")
    other.type(Keys.SHIFT + Keys.TAB * 2 + Keys.SHIFT + Keys.ENTER)
    other.wait("title", "Chat")
    bob.wait("hereTitle", "Here (2)")


def main(binary, folder):
    pictures = pathlib.Path(folder)
    pictures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        runs, profile = (os.path.join(directory, name)
                         for name in ("run", "profile"))
        with Chat(binary, runs) as chat, browser(profile) as driver:
            check(chat, driver, pictures)
    print(f"browser test: ok; see {pictures}/chat.png")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
