#include "common/data/template_form.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"

namespace plumb {
namespace {

struct Token {
  enum Kind { kText, kWord, kSymbol } kind;
  std::string value;  // of a string literal: what it stands for

  bool Is(absl::string_view symbol_or_word) const { return kind != kText && value == symbol_or_word; }
};
using Tokens = std::vector<Token>;

// The string literal that `*code` starts with, which is moved past it. Escapes that templates do not use stay
// as they are.
std::optional<std::string> TakeLiteral(absl::string_view* code) {
  const char quote = code->front();
  std::string text;
  for (size_t i = 1; i < code->size(); ++i) {
    const char c = (*code)[i];
    if (c == quote) {
      code->remove_prefix(i + 1);
      return text;
    }
    if (c != '\\') {
      text += c;
      continue;
    }
    if (++i == code->size()) break;
    const char escaped = (*code)[i];
    if (escaped == 'n') {
      text += '\n';
    } else if (escaped == 't') {
      text += '\t';
    } else if (escaped == '\'' || escaped == '"' || escaped == '\\') {
      text += escaped;
    } else {
      text.append({'\\', escaped});
    }
  }
  return std::nullopt;
}

bool IsWordCharacter(char c) { return absl::ascii_isalnum(c) || c == '_'; }

// The tokens of a tag up to its end ("}}" or "%}"), where `*code` is moved to.
std::optional<Tokens> TakeTokens(absl::string_view end, absl::string_view* code) {
  Tokens tokens;
  while (!code->empty()) {
    if (absl::StartsWith(*code, end)) return tokens;
    const char c = code->front();
    if (c == '\'' || c == '"') {
      std::optional<std::string> text = TakeLiteral(code);
      if (!text) return std::nullopt;
      tokens.push_back({Token::kText, *std::move(text)});
      continue;
    }
    size_t length = 1;
    if (IsWordCharacter(c)) {
      while (length < code->size() && IsWordCharacter((*code)[length])) ++length;
      tokens.push_back({Token::kWord, std::string(code->substr(0, length))});
    } else if (!absl::ascii_isspace(c)) {
      if (code->size() > 1 && (*code)[1] == '=' && absl::StrContains("=!<>", c)) length = 2;
      tokens.push_back({Token::kSymbol, std::string(code->substr(0, length))});
    }
    code->remove_prefix(length);
  }
  return std::nullopt;
}

bool IsName(const Token& token) {
  return token.kind == Token::kText && !token.value.empty() && !absl::ascii_isdigit(token.value[0]) &&
         std::all_of(token.value.begin(), token.value.end(), IsWordCharacter);
}

// One spelling where Jinja has several.
Tokens Respell(const Tokens& tokens) {
  const auto is = [&](size_t i, absl::string_view value) { return i < tokens.size() && tokens[i].Is(value); };
  Tokens result;
  for (size_t i = 0; i < tokens.size(); ++i) {
    const bool after_value = !result.empty() && (result.back().kind == Token::kWord ||
                                                 result.back().Is("]") || result.back().Is(")"));
    if (after_value && is(i, "[") && is(i + 2, "]") && IsName(tokens[i + 1])) {
      result.push_back({Token::kSymbol, "."});
      result.push_back({Token::kWord, tokens[i + 1].value});
      i += 2;
    } else if (after_value && is(i, ".") && is(i + 1, "strip") && is(i + 2, "(") && is(i + 3, ")")) {
      result.push_back({Token::kSymbol, "|"});
      result.push_back({Token::kWord, "trim"});
      i += 3;
    } else if (is(i, "raise_exception") && is(i + 1, "(") && is(i + 3, ")")) {
      result.push_back(tokens[i]);
      i += 3;
    } else {
      result.push_back(tokens[i]);
    }
  }
  return result;
}

std::string Spelled(const Tokens& tokens) {
  std::string text;
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0 && tokens[i].kind != Token::kSymbol && tokens[i - 1].kind != Token::kSymbol) text += ' ';
    if (tokens[i].kind == Token::kText) {
      absl::StrAppend(&text, "'", absl::CEscape(tokens[i].value), "'");
    } else {
      text += tokens[i].value;
    }
  }
  return text;
}

// Appends what {{ tokens }} puts out: the terms of a sum one by one.
void AppendOutput(const Tokens& tokens, std::string* form) {
  // What binds less than a sum keeps it from being taken apart.
  const auto binds_less = [](const Token& token) {
    for (const char* other :
         {"if", "else", "and", "or", "not", "in", "is", "==", "!=", "<", ">", "<=", ">="}) {
      if (token.Is(other)) return true;
    }
    return false;
  };
  const bool is_sum = std::none_of(tokens.begin(), tokens.end(), binds_less);
  Tokens term;
  int depth = 0;
  const auto end_term = [&] {
    if (term.size() == 1 && term[0].kind == Token::kText) {
      *form += term[0].value;
    } else {
      absl::StrAppend(form, "⟨", Spelled(term), "⟩");
    }
    term.clear();
  };
  for (const Token& token : tokens) {
    if (token.Is("(") || token.Is("[") || token.Is("{")) ++depth;
    if (token.Is(")") || token.Is("]") || token.Is("}")) --depth;
    if (is_sum && depth == 0 && (token.Is("+") || token.Is("~"))) {
      end_term();
    } else {
      term.push_back(token);
    }
  }
  end_term();
}

// The next tag in the text, or npos.
size_t FindTag(absl::string_view text) {
  for (size_t i = 0; i + 1 < text.size(); ++i) {
    if (text[i] == '{' && absl::StrContains("{%#", text[i + 1])) return i;
  }
  return absl::string_view::npos;
}

// Cuts the spaces and tabs between the start of a line and a statement.
void StripIndent(bool starts_line, absl::string_view* text) {
  const size_t newline = text->rfind('\n');
  if (newline == absl::string_view::npos && !starts_line) return;
  const size_t line = newline == absl::string_view::npos ? 0 : newline + 1;
  if (text->find_first_not_of(" \t", line) == absl::string_view::npos) *text = text->substr(0, line);
}

}  // namespace

std::optional<std::string> TemplateForm(absl::string_view jinja) {
  for (const char* bracket : {"⟦", "⟧", "⟨", "⟩"}) {
    if (absl::StrContains(jinja, bracket)) return std::nullopt;
  }
  const std::string source = absl::StrReplaceAll(jinja, {{"\r\n", "\n"}});
  absl::string_view rest = source;
  absl::ConsumeSuffix(&rest, "\n");
  std::string form;
  bool starts_line = true;
  for (size_t tag = FindTag(rest); tag != absl::string_view::npos; tag = FindTag(rest)) {
    absl::string_view text = rest.substr(0, tag);
    const char kind = rest[tag + 1];
    rest.remove_prefix(tag + 2);
    if (absl::ConsumePrefix(&rest, "-")) {
      text = absl::StripTrailingAsciiWhitespace(text);
    } else if (!absl::ConsumePrefix(&rest, "+") && kind != '{') {
      StripIndent(starts_line, &text);
    }
    absl::StrAppend(&form, text);

    bool strip_after = false;
    bool keep_newline = kind == '{';
    if (kind == '#') {
      const size_t end = rest.find("#}");
      if (end == absl::string_view::npos) return std::nullopt;
      strip_after = end > 0 && rest[end - 1] == '-';
      rest.remove_prefix(end);
    } else {
      std::optional<Tokens> tokens = TakeTokens(kind == '{' ? "}}" : "%}", &rest);
      if (!tokens) return std::nullopt;
      if (!tokens->empty() && (tokens->back().Is("-") || tokens->back().Is("+"))) {
        strip_after = tokens->back().Is("-");
        keep_newline = true;
        tokens->pop_back();
      }
      if (tokens->empty()) return std::nullopt;
      *tokens = Respell(*tokens);
      if (kind == '{') {
        AppendOutput(*tokens, &form);
      } else if (!tokens->front().Is("generation") && !tokens->front().Is("endgeneration")) {
        absl::StrAppend(&form, "⟦", Spelled(*tokens), "⟧");
      }
    }
    rest.remove_prefix(2);
    starts_line = false;
    if (strip_after) {
      rest = absl::StripLeadingAsciiWhitespace(rest);
    } else if (!keep_newline) {
      starts_line = absl::ConsumePrefix(&rest, "\n");
    }
  }
  absl::StrAppend(&form, rest);
  // A preface of many templates that changes nothing: a name that is not defined counts as false.
  absl::string_view result = form;
  absl::ConsumePrefix(&result,
                      "⟦if not add_generation_prompt is defined⟧⟦set add_generation_prompt=false⟧⟦endif⟧");
  return std::string(result);
}

bool MatchesForm(absl::string_view form, absl::string_view known, absl::string_view name, std::string* text) {
  text->clear();
  const std::string hole = absl::StrCat("⟨", name, "⟩");
  const size_t begin = known.find(hole);
  if (begin == absl::string_view::npos) return form == known;
  if (form.substr(0, begin) != known.substr(0, begin)) return false;
  absl::string_view after = known.substr(begin + hole.size());
  after = after.substr(0, after.find(hole));
  const size_t end = form.find(after, begin);
  if (end == absl::string_view::npos) return false;
  *text = std::string(form.substr(begin, end - begin));
  return !absl::StrContains(*text, "⟦") && !absl::StrContains(*text, "⟨") &&
         form == absl::StrReplaceAll(known, {{hole, *text}});
}

}  // namespace plumb
