#pragma once

// ChatText: what the chat takes for a name and for a line. Pure functions of
// UTF-8: whoever calls them has made sure that it is.

#include <cstddef>
#include <string_view>

constexpr std::size_t kMaxNameCharacters = 32;
constexpr std::size_t kMaxLineBytes = 2000;

// Why the text cannot be the name of a person or a room; empty when it can. Two
// names that look the same should be the same: invisible characters, and spaces
// that are no plain space, are refused.
std::string_view problemWithName(std::string_view text);

// Why the text cannot be said; empty when it can.
std::string_view problemWithLine(std::string_view text);
