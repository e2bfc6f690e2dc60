#include "common/data/chat_template.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <tuple>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "common/data/template_form.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

using nlohmann::ordered_json;

// What a template is rendered with.
struct Conversation {
  const std::vector<ChatMessage>& messages;  // at least one
  bool add_generation_prompt;
  const ordered_json& tools;  // null or a list of at least one
  const std::string& bos_token;
  const std::string& eos_token;
  const std::string& default_system;

  bool StartsWithSystem() const { return messages[0].role == "system"; }
};
using Rendered = absl::StatusOr<std::string>;

// Python's str.strip, which is also Jinja's `trim`.
bool IsPythonSpace(absl::string_view character) {
  if (character.size() == 1) {
    const char c = character[0];
    return c == ' ' || (c >= '\t' && c <= '\r') || (c >= '\x1c' && c <= '\x1f');
  }
  for (const char* space :
       {"\u0085", "\u00a0", "\u1680", "\u2000", "\u2001", "\u2002", "\u2003", "\u2004", "\u2005", "\u2006",
        "\u2007", "\u2008", "\u2009", "\u200a", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000"}) {
    if (character == space) return true;
  }
  return false;
}

absl::string_view Trim(absl::string_view text) {
  const auto is_continuation = [](char c) { return (c & 0xc0) == 0x80; };
  while (!text.empty()) {
    size_t length = 1;
    while (length < text.size() && is_continuation(text[length])) ++length;
    if (!IsPythonSpace(text.substr(0, length))) break;
    text.remove_prefix(length);
  }
  while (!text.empty()) {
    size_t start = text.size() - 1;
    while (start > 0 && is_continuation(text[start])) --start;
    if (!IsPythonSpace(text.substr(start))) break;
    text.remove_suffix(text.size() - start);
  }
  return text;
}

absl::Status WrongRole(size_t index, const ChatMessage& message, absl::string_view expected) {
  return absl::InvalidArgumentError(absl::StrCat(
      "messages[", index, "].role: '", absl::Utf8SafeCHexEscape(message.role), "', but ", expected));
}

// Of messages from `first` on: user, assistant, user, ... `first` is 1 after a system message.
absl::Status ExpectAlternation(const Conversation& chat, size_t first) {
  for (size_t i = first; i < chat.messages.size(); ++i) {
    const bool users_turn = (i - first) % 2 == 0;
    if ((chat.messages[i].role == "user") != users_turn) {
      return WrongRole(i, chat.messages[i],
                       "roles must alternate user/assistant/user/assistant in the chat template");
    }
  }
  return absl::OkStatus();
}

absl::Status ExpectUserOrAssistant(const Conversation& chat, size_t first) {
  for (size_t i = first; i < chat.messages.size(); ++i) {
    const std::string& role = chat.messages[i].role;
    if (role != "user" && role != "assistant") {
      return WrongRole(i, chat.messages[i], "the chat template knows user and assistant");
    }
  }
  return absl::OkStatus();
}

void AppendChatml(absl::string_view role, absl::string_view content, std::string* text) {
  absl::StrAppend(text, "<|im_start|>", role, "\n", content, "<|im_end|>\n");
}

Rendered Chatml(const Conversation& chat) {
  std::string text;
  for (const ChatMessage& message : chat.messages) AppendChatml(message.role, message.content, &text);
  if (chat.add_generation_prompt) text += "<|im_start|>assistant\n";
  return text;
}

Rendered Qwen2(const Conversation& chat) {
  std::string system;
  if (!chat.StartsWithSystem()) AppendChatml("system", chat.default_system, &system);
  PLUMB_ASSIGN_OR_RETURN(const std::string text, Chatml(chat));
  return system + text;
}

// Parses `json`, nested no deeper than a recursive writer can follow.
absl::StatusOr<ordered_json> ParseTools(const std::string& json, absl::string_view what) {
  bool too_deep = false;
  const auto watch_depth = [&](int depth, ordered_json::parse_event_t, ordered_json&) {
    too_deep = too_deep || depth > 100;
    return !too_deep;
  };
  ordered_json value = ordered_json::parse(json, watch_depth, /*allow_exceptions=*/false);
  if (too_deep) return absl::InvalidArgumentError(absl::StrCat(what, ": nested too deep"));
  if (value.is_discarded()) return absl::InvalidArgumentError(absl::StrCat(what, ": not valid JSON"));
  if (value.is_null() || (value.is_array() && value.empty())) return absl::StatusOr<ordered_json>(nullptr);
  if (!value.is_array()) return absl::InvalidArgumentError(absl::StrCat(what, ": expected a list"));
  return absl::StatusOr<ordered_json>(std::move(value));
}

// As Python's json.dumps(value, ensure_ascii=False) writes it: with a space after ',' and ':'.
std::string ToJson(const ordered_json& value) {
  std::string text;
  bool in_string = false;
  bool escaped = false;
  for (const char c : value.dump(-1, ' ', false, ordered_json::error_handler_t::replace)) {
    text += c;
    if (!in_string && (c == ',' || c == ':')) text += ' ';
    if (c == '"' && !escaped) in_string = !in_string;
    escaped = c == '\\' && !escaped;
  }
  return text;
}

void AppendQwenTools(const Conversation& chat, std::string* text) {
  absl::StrAppend(
      text, "<|im_start|>system\n", chat.StartsWithSystem() ? chat.messages[0].content : chat.default_system,
      "\n\n# Tools\n\nYou may call one or more functions to assist with the user query.\n\nYou are "
      "provided with function signatures within <tools></tools> XML tags:\n<tools>");
  for (const ordered_json& tool : chat.tools) absl::StrAppend(text, "\n", ToJson(tool));
  *text +=
      "\n</tools>\n\nFor each function call, return a json object with function name and arguments within "
      "<tool_call></tool_call> XML tags:\n<tool_call>\n{\"name\": <function-name>, \"arguments\": "
      "<args-json-object>}\n</tool_call><|im_end|>\n";
}

absl::Status AppendQwenToolCalls(const ChatMessage& message, const ordered_json& calls, std::string* text) {
  absl::StrAppend(text, "<|im_start|>", message.role, message.content.empty() ? "" : "\n", message.content);
  for (const ordered_json& call : calls) {
    const ordered_json& function = call.is_object() && call.contains("function") ? call["function"] : call;
    if (!function.is_object() || !function.contains("name") || !function["name"].is_string() ||
        !function.contains("arguments")) {
      return absl::InvalidArgumentError("tool_calls: expected calls with a name and arguments");
    }
    absl::StrAppend(text, "\n<tool_call>\n{\"name\": \"", function["name"].get<std::string>(),
                    "\", \"arguments\": ", ToJson(function["arguments"]), "}\n</tool_call>");
  }
  *text += "<|im_end|>\n";
  return absl::OkStatus();
}

Rendered Qwen2_5(const Conversation& chat) {
  std::string text;
  if (!chat.tools.is_null()) {
    AppendQwenTools(chat, &text);
  } else {
    AppendChatml("system", chat.StartsWithSystem() ? chat.messages[0].content : chat.default_system, &text);
  }
  const auto is_tool = [&](size_t i) { return i < chat.messages.size() && chat.messages[i].role == "tool"; };
  for (size_t i = 0; i < chat.messages.size(); ++i) {
    const ChatMessage& message = chat.messages[i];
    if (message.role == "user" || (message.role == "system" && i > 0)) {
      AppendChatml(message.role, message.content, &text);
    } else if (message.role == "assistant") {
      ordered_json calls;
      if (!message.tool_calls.empty()) {
        PLUMB_ASSIGN_OR_RETURN(calls, ParseTools(message.tool_calls, "tool_calls"));
      }
      if (calls.is_null()) {
        AppendChatml(message.role, message.content, &text);
      } else {
        PLUMB_RETURN_IF_ERROR(AppendQwenToolCalls(message, calls, &text));
      }
    } else if (message.role == "tool") {  // answers in a row are one turn
      if (i == 0 || !is_tool(i - 1)) text += "<|im_start|>user";
      absl::StrAppend(&text, "\n<tool_response>\n", message.content, "\n</tool_response>");
      if (!is_tool(i + 1)) text += "<|im_end|>\n";
    }
  }
  if (chat.add_generation_prompt) text += "<|im_start|>assistant\n";
  return text;
}

Rendered Llama2(const Conversation& chat) {
  const size_t first = chat.StartsWithSystem() ? 1 : 0;
  PLUMB_RETURN_IF_ERROR(ExpectAlternation(chat, first));
  std::string text;
  for (size_t i = first; i < chat.messages.size(); ++i) {
    const ChatMessage& message = chat.messages[i];
    std::string content = message.content;
    if (i == 1 && first == 1) {
      content = absl::StrCat("<<SYS>>\n", chat.messages[0].content, "\n<</SYS>>\n\n", content);
    }
    if (message.role == "user") {
      absl::StrAppend(&text, chat.bos_token, "[INST] ", Trim(content), " [/INST]");
    } else if (message.role == "assistant") {
      absl::StrAppend(&text, " ", Trim(content), " ", chat.eos_token);
    }
  }
  return text;
}

Rendered Llama3(const Conversation& chat) {
  std::string text = chat.bos_token;
  for (const ChatMessage& message : chat.messages) {
    absl::StrAppend(&text, "<|start_header_id|>", message.role, "<|end_header_id|>\n\n",
                    Trim(message.content), "<|eot_id|>");
  }
  if (chat.add_generation_prompt) text += "<|start_header_id|>assistant<|end_header_id|>\n\n";
  return text;
}

Rendered Mistral(const Conversation& chat, absl::string_view after_answer) {
  PLUMB_RETURN_IF_ERROR(ExpectAlternation(chat, 0));
  PLUMB_RETURN_IF_ERROR(ExpectUserOrAssistant(chat, 0));
  std::string text = chat.bos_token;
  for (const ChatMessage& message : chat.messages) {
    if (message.role == "user") {
      absl::StrAppend(&text, "[INST] ", message.content, " [/INST]");
    } else {
      absl::StrAppend(&text, message.content, chat.eos_token, after_answer);
    }
  }
  return text;
}
Rendered MistralV0_1(const Conversation& chat) { return Mistral(chat, " "); }
Rendered MistralV0_2(const Conversation& chat) { return Mistral(chat, ""); }

// The system message goes into the last message, when that is the user's.
Rendered MistralV0_3(const Conversation& chat) {
  const size_t first = chat.StartsWithSystem() ? 1 : 0;
  PLUMB_RETURN_IF_ERROR(ExpectAlternation(chat, first));
  PLUMB_RETURN_IF_ERROR(ExpectUserOrAssistant(chat, first));
  std::string text = chat.bos_token;
  for (size_t i = first; i < chat.messages.size(); ++i) {
    const ChatMessage& message = chat.messages[i];
    if (message.role == "user") {
      text += "[INST] ";
      if (first == 1 && i + 1 == chat.messages.size())
        absl::StrAppend(&text, chat.messages[0].content, "\n\n");
      absl::StrAppend(&text, message.content, "[/INST]");
    } else {
      absl::StrAppend(&text, " ", Trim(message.content), chat.eos_token);
    }
  }
  return text;
}

// Other roles than these three are left out, as the template does.
Rendered Zephyr(const Conversation& chat) {
  std::string text;
  for (const ChatMessage& message : chat.messages) {
    if (message.role != "user" && message.role != "system" && message.role != "assistant") continue;
    absl::StrAppend(&text, "<|", message.role, "|>\n", message.content, chat.eos_token, "\n");
  }
  if (chat.add_generation_prompt) text += "<|assistant|>\n";
  return text;
}

Rendered Gemma(const Conversation& chat) {
  if (chat.StartsWithSystem())
    return WrongRole(0, chat.messages[0], "the chat template has no system message");
  PLUMB_RETURN_IF_ERROR(ExpectAlternation(chat, 0));
  std::string text = chat.bos_token;
  for (const ChatMessage& message : chat.messages) {
    absl::StrAppend(&text, "<start_of_turn>", message.role == "assistant" ? "model" : message.role, "\n",
                    Trim(message.content), "<end_of_turn>\n");
  }
  if (chat.add_generation_prompt) text += "<start_of_turn>model\n";
  return text;
}

// What a template is recognised by, in a spelling of our own (TemplateForm makes all spellings alike). In the
// place of {{ default_system }} any text may stand.
constexpr char kChatmlForm[] =
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor "
    "%}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

constexpr char kQwen2Form[] =
    "{% for message in messages %}{% if loop.first and messages[0].role != 'system' %}"
    "<|im_start|>system\n{{ default_system }}<|im_end|>\n{% endif %}"
    "<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

constexpr char kQwen2_5Form[] =
    "{% if tools %}<|im_start|>system\n{% if messages[0].role == 'system' %}{{ messages[0].content }}{% else "
    "%}"
    "{{ default_system }}{% endif +%}\n\n# Tools\n\nYou may call one or more functions to assist with the "
    "user "
    "query.\n\nYou are provided with function signatures within <tools></tools> XML tags:\n<tools>"
    "{% for tool in tools +%}\n{{ tool | tojson }}{% endfor +%}\n</tools>\n\nFor each function call, return "
    "a "
    "json object with function name and arguments within <tool_call></tool_call> XML tags:\n<tool_call>\n"
    "{\"name\": <function-name>, \"arguments\": <args-json-object>}\n</tool_call><|im_end|>\n"
    "{% else %}{% if messages[0].role == 'system' %}<|im_start|>system\n{{ messages[0].content }}<|im_end|>\n"
    "{% else %}<|im_start|>system\n{{ default_system }}<|im_end|>\n{% endif %}{% endif %}"
    "{% for message in messages %}{% if (message.role == 'user') or (message.role == 'system' and not "
    "loop.first) "
    "or (message.role == 'assistant' and not message.tool_calls) %}<|im_start|>{{ message.role }}\n"
    "{{ message.content }}<|im_end|>\n{% elif message.role == 'assistant' %}<|im_start|>{{ message.role }}"
    "{% if message.content +%}\n{{ message.content }}{% endif %}{% for tool_call in message.tool_calls %}"
    "{% if tool_call.function is defined %}{% set tool_call = tool_call.function %}{% endif "
    "+%}\n<tool_call>\n"
    "{\"name\": \"{{ tool_call.name }}\", \"arguments\": {{ tool_call.arguments | tojson }}}\n</tool_call>"
    "{% endfor %}<|im_end|>\n{% elif message.role == 'tool' %}"
    "{% if (loop.index0 == 0) or (messages[loop.index0 - 1].role != 'tool') %}<|im_start|>user{% endif +%}\n"
    "<tool_response>\n{{ message.content }}\n</tool_response>"
    "{% if loop.last or (messages[loop.index0 + 1].role != 'tool') %}<|im_end|>\n{% endif %}{% endif %}{% "
    "endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

constexpr char kLlama2Form[] =
    "{% if messages[0].role == 'system' %}{% set loop_messages = messages[1:] %}"
    "{% set system_message = messages[0].content %}{% else %}{% set loop_messages = messages %}"
    "{% set system_message = false %}{% endif %}{% for message in loop_messages %}"
    "{% if (message.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('') }}{% endif %}"
    "{% if loop.index0 == 0 and system_message != false %}"
    "{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message.content %}"
    "{% else %}{% set content = message.content %}{% endif %}"
    "{% if message.role == 'user' %}{{ bos_token }}[INST] {{ content | trim }} [/INST]"
    "{% elif message.role == 'assistant' %} {{ content | trim }} {{ eos_token }}{% endif %}{% endfor %}";

constexpr char kLlama3Form[] =
    "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = "
    "'<|start_header_id|>' + "
    "message.role + '<|end_header_id|>\\n\\n' + message.content | trim + '<|eot_id|>' %}"
    "{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}";

constexpr char kMistralV0_1Form[] =
    "{{ bos_token }}{% for message in messages %}{% if (message.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('') }}{% endif %}{% if message.role == 'user' %}[INST] {{ message.content }} [/INST]"
    "{% elif message.role == 'assistant' %}{{ message.content }}{{ eos_token + ' ' }}{% else %}"
    "{{ raise_exception('') }}{% endif %}{% endfor %}";

constexpr char kMistralV0_2Form[] =
    "{{ bos_token }}{% for message in messages %}{% if (message.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('') }}{% endif %}{% if message.role == 'user' %}[INST] {{ message.content }} [/INST]"
    "{% elif message.role == 'assistant' %}{{ message.content }}{{ eos_token }}{% else %}"
    "{{ raise_exception('') }}{% endif %}{% endfor %}";

constexpr char kMistralV0_3Form[] =
    "{% if messages[0].role == 'system' %}{% set system_message = messages[0].content %}"
    "{% set loop_messages = messages[1:] %}{% else %}{% set loop_messages = messages %}{% endif %}{{ "
    "bos_token }}"
    "{% for message in loop_messages %}{% if (message.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('') }}{% endif %}{% if message.role == 'user' %}"
    "{% if loop.last and system_message is defined %}[INST] {{ system_message }}\n\n{{ message.content "
    "}}[/INST]"
    "{% else %}[INST] {{ message.content }}[/INST]{% endif %}"
    "{% elif message.role == 'assistant' %} {{ message.content | trim }}{{ eos_token }}{% else %}"
    "{{ raise_exception('') }}{% endif %}{% endfor %}";

constexpr char kZephyrForm[] =
    "{% for message in messages %}{% if message.role == 'user' %}<|user|>\n{{ message.content }}{{ eos_token "
    "}}\n"
    "{% elif message.role == 'system' %}<|system|>\n{{ message.content }}{{ eos_token }}\n"
    "{% elif message.role == 'assistant' %}<|assistant|>\n{{ message.content }}{{ eos_token }}\n{% endif %}"
    "{% if loop.last and add_generation_prompt %}<|assistant|>\n{% endif %}{% endfor %}";

constexpr char kGemmaForm[] =
    "{{ bos_token }}{% if messages[0].role == 'system' %}{{ raise_exception('') }}{% endif %}"
    "{% for message in messages %}{% if (message.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('') }}{% endif %}{% if (message.role == 'assistant') %}{% set role = 'model' %}{% "
    "else %}"
    "{% set role = message.role %}{% endif %}<start_of_turn>{{ role }}\n{{ message.content | trim "
    "}}<end_of_turn>\n"
    "{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}";

struct ChatTemplate {
  const char* name;
  Rendered (*render)(const Conversation& chat);
  const char* form;  // none: another name for a template that has one
  const char* default_system = "";
  bool has_tools = false;
  // Jinja puts nothing for a token that the tokenizer does not have, unless it is a term of a sum.
  bool needs_bos = false;
  bool needs_eos = false;
};

constexpr char kQwen2System[] = "You are a helpful assistant.";
constexpr char kQwen2_5System[] = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.";

constexpr ChatTemplate kTemplates[] = {
    {"chatml", Chatml, kChatmlForm},
    {"gemma", Gemma, kGemmaForm},
    {"llama2", Llama2, kLlama2Form, "", false, true, true},
    {"llama3", Llama3, kLlama3Form, "", false, true, false},
    {"mistral", MistralV0_3, nullptr, "", false, false, true},
    {"mistral_v0_1", MistralV0_1, kMistralV0_1Form, "", false, false, true},
    {"mistral_v0_2", MistralV0_2, kMistralV0_2Form, "", false, false, true},
    {"mistral_v0_3", MistralV0_3, kMistralV0_3Form, "", false, false, true},
    {"qwen", Qwen2_5, nullptr, kQwen2_5System, true},
    {"qwen2", Qwen2, kQwen2Form, kQwen2System},
    {"qwen2_5", Qwen2_5, kQwen2_5Form, kQwen2_5System, true},
    {"zephyr", Zephyr, kZephyrForm, "", false, false, true},
};

std::string TokenText(const Tokenizer& tokenizer, std::optional<int64_t> id) {
  return id ? tokenizer.Decode({*id}, /*skip_special_tokens=*/false) : "";
}

// What the renderer keeps.
struct Chosen {
  ChatTemplate chat_template;
  std::string default_system;
  std::string bos_token;
  std::string eos_token;
};

Rendered Render(const Chosen& chosen, const std::vector<ChatMessage>& messages, bool add_generation_prompt,
                const std::string& tools_json) {
  if (messages.empty()) return absl::InvalidArgumentError("a conversation without messages");
  const auto refuse = [&](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": the chat template ", chosen.chat_template.name,
                                                   " has no place for tools; one that has is qwen2_5"));
  };
  ordered_json tools;
  if (!tools_json.empty()) {
    PLUMB_ASSIGN_OR_RETURN(tools, ParseTools(tools_json, "tools"));
  }
  if (!chosen.chat_template.has_tools) {
    if (!tools.is_null()) return refuse("tools");
    for (const ChatMessage& message : messages) {
      if (!message.tool_calls.empty()) return refuse("tool_calls");
    }
  }
  return chosen.chat_template.render(
      {messages, add_generation_prompt, tools, chosen.bos_token, chosen.eos_token, chosen.default_system});
}

absl::StatusOr<ChatRenderer> Renderer(const ChatTemplate& chat_template, const std::string& default_system,
                                      const Tokenizer& tokenizer) {
  const Chosen chosen{chat_template, default_system, TokenText(tokenizer, tokenizer.bos_token_id()),
                      TokenText(tokenizer, tokenizer.eos_token_id())};
  for (const auto& [needed, token, what] :
       {std::tuple(chat_template.needs_bos, &chosen.bos_token, "bos_token"),
        std::tuple(chat_template.needs_eos, &chosen.eos_token, "eos_token")}) {
    if (!needed || !token->empty()) continue;
    return absl::InvalidArgumentError(absl::StrCat("the chat template ", chat_template.name, " puts the ",
                                                   what,
                                                   ", but the tokenizer has none; name one in "
                                                   "tokenizer_config.json, or another chat_template"));
  }
  return ChatRenderer(
      [chosen](const std::vector<ChatMessage>& messages, bool add_generation_prompt,
               const std::string& tools) { return Render(chosen, messages, add_generation_prompt, tools); });
}

}  // namespace

std::vector<std::string> ChatTemplateNames() {
  std::vector<std::string> names;
  for (const ChatTemplate& chat_template : kTemplates) names.push_back(chat_template.name);
  return names;
}

absl::StatusOr<ChatRenderer> MakeChatRenderer(const std::string& name, const Tokenizer& tokenizer) {
  const std::string names = absl::StrCat("none (plain text), ", absl::StrJoin(ChatTemplateNames(), ", "));
  if (name == "none") return ChatRenderer();
  if (name != "auto") {
    for (const ChatTemplate& chat_template : kTemplates) {
      if (name == chat_template.name) return Renderer(chat_template, chat_template.default_system, tokenizer);
    }
    return absl::InvalidArgumentError(absl::StrCat("chat_template: '", absl::Utf8SafeCHexEscape(name),
                                                   "' is not known; expected auto, ", names));
  }
  if (tokenizer.chat_template().empty()) return ChatRenderer();
  if (const std::optional<std::string> form = TemplateForm(tokenizer.chat_template())) {
    for (const ChatTemplate& chat_template : kTemplates) {
      std::string default_system;
      if (chat_template.form != nullptr &&
          MatchesForm(*form, *TemplateForm(chat_template.form), "default_system", &default_system)) {
        return Renderer(chat_template, default_system, tokenizer);
      }
    }
  }
  const absl::Status unknown = absl::UnimplementedError(absl::StrCat(
      "the tokenizer's chat template is none of those that are known; to go on, name the one that the model "
      "shall have in chat_template: ",
      names));
  return ChatRenderer(
      [unknown](const std::vector<ChatMessage>&, bool, const std::string&) { return unknown; });
}

}  // namespace plumb
