#!/usr/bin/env python3
"""Shows that each check of this folder passes a good tree, and fails on a tree
that has what it is there to find."""

import pathlib
import shutil
import subprocess
import tempfile
import unittest

import codeBlocks
import commitSubjects
import headersAlone
import layers
import publicHeaders
import rows
import testsPresent

GOOD = {
    "src/brigade.h": '#include "brigade/Worker/Worker.h"\n',
    "src/Events/Loop.h": "#pragma once\n#include <string>\n",
    "src/Events/LibevLoop.cc": "#include <ev.h>\n\n"
                               '#include "brigade/Events/Loop.h"\n',
    "src/Protocol/Text.h": "#pragma once\n",
    "src/Process/Channel.h": "#pragma once\n#include <sys/types.h>\n"
                             '#include "brigade/Events/Loop.h"\n',
    "src/Connection/detail/Queue.h": "#pragma once\n",
    "src/Worker/Worker.h": "#pragma once\n// spdlog:: in a comment\n"
                           '#include "brigade/Events/Loop.h"\n',
    "src/Worker/Log.cc": "#include <spdlog/spdlog.h>\n"
                         '#include "brigade/Worker/Worker.h"\n',
    "tests/Events/LibevLoopTest.cc": "#include <gtest/gtest.h>\n",
    "tests/Worker/LogTest.cc": "",
    "build.ninja": "build a.o: CXX {root}/tests/Events/LibevLoopTest.cc\n"
                   "build b.o: CXX {root}/tests/Worker/LogTest.cc | x\n",
    "README.md": "```cpp\n#include <brigade/brigade.h>\n\nint main() {}\n```\n"
                 "```cpp\nneither(a, program)\n```\n",
}


class Tree(unittest.TestCase):
    """Makes trees that are GOOD but for what a test changes."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name).resolve()
        for path, text in GOOD.items():
            self.write(path, text)

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.replace("{root}", str(self.root)))

    def append(self, path, text):
        self.write(path, (self.root / path).read_text() + text)

    def expect_error(self, errors, *words):
        self.assertEqual(len(errors), 1, errors)
        for word in words:
            self.assertIn(word, errors[0])


class Layers(Tree):
    def expect(self, path, include, *words):
        self.append(path, f"#include {include}\n")
        self.expect_error(layers.check(self.root), path, *words)

    def test_passes_a_good_tree(self):
        self.assertEqual(layers.check(self.root), [])

    def test_fails_on_an_include_that_goes_up(self):
        self.expect("src/Events/Loop.h", '"brigade/Worker/Worker.h"',
                    "Events may not include Worker")

    def test_fails_on_an_include_that_goes_sideways(self):
        self.expect("src/Process/Channel.h", '"brigade/Protocol/Text.h"',
                    "Process may not include Protocol")

    def test_sees_an_include_in_angle_brackets(self):
        self.expect("src/Protocol/Text.h", "<brigade/Events/Loop.h>",
                    "Protocol may not include Events")

    def test_fails_on_an_include_into_the_detail_of_another_folder(self):
        self.expect("src/Worker/Log.cc", '"brigade/Connection/detail/Queue.h"',
                    "private to Connection")

    def test_fails_on_a_public_face_that_shows_a_detail(self):
        self.expect("src/brigade.h", '"brigade/Connection/detail/Queue.h"',
                    "private to Connection")

    def test_fails_on_a_source_that_includes_the_public_face(self):
        self.expect("src/Worker/Log.cc", '"brigade/brigade.h"',
                    "only programs include it")

    def test_fails_on_a_relative_include(self):
        self.expect("src/Process/Channel.h", '"../Events/Loop.h"',
                    "brigade/FOLDER/FILE.h")

    def test_fails_on_a_folder_that_is_no_layer(self):
        self.write("src/Utils/Strings.h", "#pragma once\n")
        self.expect_error(layers.check(self.root), "no such layer")

    def test_fails_on_an_example_that_includes_a_detail(self):
        self.write("examples/a.cc", "")
        self.expect("examples/a.cc", '"brigade/Connection/detail/Queue.h"',
                    "public headers only")

    def test_fails_on_a_third_party_header_away_from_home(self):
        self.expect("src/Worker/Worker.h", "<spdlog/spdlog.h>", "its home is")
        self.setUp()
        self.expect("src/Process/Channel.h", "<ev.h>", "its home is")
        self.setUp()
        self.expect("tests/Worker/LogTest.cc", "<CLI/CLI.hpp>", "its home is")
        self.setUp()
        self.expect("src/Worker/Log.cc", "<gtest/gtest.h>", "without a home")

    def test_fails_on_a_second_home(self):
        self.write("src/Worker/Other.cc", "#include <spdlog/spdlog.h>\n")
        self.expect_error(layers.check(self.root), "one file",
                          "src/Worker/Log.cc, src/Worker/Other.cc")

    def test_fails_on_a_third_party_header_that_nobody_declared(self):
        self.expect("src/Worker/Log.cc", "<boost/asio.hpp>", "without a home")


class PublicHeaders(Tree):
    def check(self):
        return publicHeaders.check(self.root)

    def test_passes_a_good_tree(self):
        self.assertEqual(self.check(), [])

    def test_fails_on_a_third_party_include(self):
        self.append("src/Events/Loop.h", "#include <ev.h>\n")
        self.expect_error(self.check(), "src/Events/Loop.h:3", "<ev.h>")

    def test_fails_on_a_third_party_type(self):
        self.append("src/Events/Loop.h", "struct ev_loop;\n")
        self.expect_error(self.check(), "src/Events/Loop.h:3", "ev_loop")

    def test_does_not_mind_what_no_program_can_reach(self):
        self.append("src/Process/Channel.h", "struct ev_loop;\n")
        self.assertEqual(self.check(), [])

    def test_fails_on_a_detail_that_a_public_header_includes(self):
        self.append("src/Worker/Worker.h",
                    '#include "brigade/Connection/detail/Queue.h"\n')
        self.expect_error(self.check(), "src/Connection/detail/Queue.h")

    def test_fails_on_a_header_that_is_not_there(self):
        self.append("src/brigade.h", '#include "brigade/Worker/Gone.h"\n')
        self.expect_error(self.check(), "src/Worker/Gone.h")

    def test_compares_what_is_installed(self):
        for name in ("brigade.h", "Events/Loop.h", "Worker/Worker.h"):
            self.write(f"include/brigade/{name}", GOOD[f"src/{name}"])
        installed = self.root / "include"
        self.assertEqual(publicHeaders.check(self.root, installed), [])
        (installed / "brigade/Events/Loop.h").unlink()
        self.append("include/brigade/brigade.h", "\n")
        self.write("include/brigade/Process/Channel.h", "")
        self.assertEqual(publicHeaders.check(self.root, installed),
                         ["Events/Loop.h: public, not installed",
                          "Process/Channel.h: installed, not public",
                          "brigade.h: the installed copy differs"])


class HeadersAlone(Tree):
    def test_passes_a_good_tree(self):
        self.assertEqual(headersAlone.check(self.root), [])

    def test_fails_on_a_header_that_needs_another_one_first(self):
        self.append("src/Protocol/Text.h", "std::string text();\n")
        self.expect_error(headersAlone.check(self.root), "src/Protocol/Text.h")

    def test_fails_on_a_header_that_may_not_come_twice(self):
        self.write("src/Protocol/Text.h", "struct Text {};\n")
        self.expect_error(headersAlone.check(self.root), "src/Protocol/Text.h")


class TestsPresent(Tree):
    def check(self):
        return testsPresent.check(self.root, self.root)

    def test_passes_a_good_tree(self):
        self.assertEqual(self.check(), [])

    def test_fails_on_a_source_without_a_test(self):
        self.write("src/Worker/Run.cc", "")
        self.expect_error(self.check(), "tests/Worker/RunTest.cc")

    def test_finds_a_test_of_whole_programs(self):
        self.write("src/Worker/Run.cc", "")
        self.write("tests/integration/RunTest.cc", "")
        self.append("build.ninja",
                    "build c.o: CXX {root}/tests/integration/RunTest.cc")
        self.assertEqual(self.check(), [])

    def test_leaves_details_to_the_tests_of_what_uses_them(self):
        self.write("src/Worker/detail/Master.cc", "")
        self.assertEqual(self.check(), [])

    def test_fails_on_a_test_that_is_not_built(self):
        self.write("tests/integration/ReloadTest.cc", "")
        self.expect_error(self.check(), "tests/integration/ReloadTest.cc")


class Rows(Tree):
    TEST = "TEST_F(Suite, C03_X05_ItArrives) {}"

    def page(self, *lines):
        self.write("docs/reference-systems.md", "\n".join(lines))

    def check(self):
        self.write("tests/Process/SomeTest.cc", self.TEST)
        return rows.check(self.root)

    def test_passes_a_page_that_names_all(self):
        self.page("| C-03 | what | `Suite`: C03_X05_ItArrives |  |",
                  "| X-05 | what | `Suite`: C03_X05_ItArrives |  |")
        self.assertEqual(self.check(), [])

    def test_fails_on_a_test_that_is_left_out(self):
        self.page("| C-03 | what | `Suite`: C03_X05_ItArrives |  |")
        self.expect_error(self.check(), "X-05: does not name")

    def test_fails_on_a_test_that_is_not_there(self):
        self.page("| C-03 | what | `Suite`: C03_X05_ItArrives, C03_Gone |  |",
                  "| X-05 | what | `Suite`: C03_X05_ItArrives |  |")
        self.expect_error(self.check(), "there is no test C03_Gone")


class CodeBlocks(Tree):
    def test_passes_a_good_tree(self):
        self.assertEqual(codeBlocks.check(self.root), [])

    def test_fails_on_a_program_that_does_not_compile(self):
        self.write("docs/guide.md", "text\n```cpp\nint main() { x }\n```\n")
        self.expect_error(codeBlocks.check(self.root), "docs/guide.md:3")

    def test_finds_the_first_program(self):
        self.assertEqual(codeBlocks.first(self.root / "README.md"),
                         "#include <brigade/brigade.h>\n\nint main() {}\n")


@unittest.skipUnless(shutil.which("git"), "no git here")
class CommitSubjects(Tree):
    def git(self, *arguments):
        subprocess.run(
            ["git", "-C", str(self.root), "-c", "user.name=a", "-c",
             "user.email=a@example.com", *arguments],
            check=True, capture_output=True)

    def commit(self, subject):
        self.git("commit", "--allow-empty", "-m", subject)

    def setUp(self):
        super().setUp()
        self.git("init", "-q")
        self.commit("Events: turn the loop")

    def test_passes_a_good_repository(self):
        self.commit("Worker, Process: " + "a" * 55)
        self.assertEqual(commitSubjects.check(self.root), [])

    def test_fails_on_a_subject_that_names_no_area(self):
        self.commit("fix things")
        self.expect_error(commitSubjects.check(self.root), "fix things")

    def test_fails_on_a_subject_that_is_too_long(self):
        self.commit("Worker, Process: " + "a" * 56)
        self.expect_error(commitSubjects.check(self.root), "73 characters")

    def test_has_nothing_to_say_without_a_repository(self):
        self.assertEqual(commitSubjects.check(self.root / "src"), [])


if __name__ == "__main__":
    unittest.main()
