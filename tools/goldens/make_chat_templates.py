"""Conversations as transformers renders them with the chat templates in common use.

Makes common/data/testdata/chat_templates/<name>/: tokenizer_config.json (chat_template, bos_token, eos_token) and
golden.json: messages, add_generation_prompt, tools (if any) and either the text or the template's error. Templates that TRL's wheel
carries are taken from it; the others are written here to give the text that the models' own templates give. `unknown` is
a template of nobody's, which must be refused.

    python tools/goldens/make_chat_templates.py
"""

import importlib.resources

import golden_io
import jinja2
import transformers

OUT = golden_io.ROOT / "common/data/testdata/chat_templates"
TOKENIZERS = golden_io.ROOT / "common/data/testdata/tokenizers"
PEER = golden_io.peers("transformers", "jinja2", "trl")

CHATML = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
QWEN2 = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n' }}{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
ALTERNATE = (
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
)
LLAMA2 = (
    "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}"
    "{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}"
    "{% set system_message = false %}{% endif %}{% for message in loop_messages %}" + ALTERNATE + ""
    "{% if loop.index0 == 0 and system_message != false %}"
    "{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}"
    "{% else %}{% set content = message['content'] %}{% endif %}"
    "{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}"
    "{% elif message['role'] == 'assistant' %}{{ ' '  + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}"
)


def mistral(after_answer):
    """v0.1 puts a space after an answer's end of sequence, v0.2 does not; neither knows a system message."""
    return (
        "{{ bos_token }}{% for message in messages %}" + ALTERNATE + "{% if message['role'] == 'user' %}"
        "{{ '[INST] ' + message['content'] + ' [/INST]' }}{% elif message['role'] == 'assistant' %}"
        "{{ message['content'] + eos_token" + after_answer + " }}{% else %}"
        "{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}"
    )


# v0.3 puts the system message into the last user turn, and no space before [/INST].
MISTRAL_V0_3 = """\
{%- if messages[0]["role"] == "system" %}
    {%- set system_message = messages[0]["content"] %}
    {%- set loop_messages = messages[1:] %}
{%- else %}
    {%- set loop_messages = messages %}
{%- endif %}
{{- bos_token }}
{%- for message in loop_messages %}
    {%- if (message["role"] == "user") != (loop.index0 % 2 == 0) %}
        {{- raise_exception("After the optional system message, conversation roles must alternate user/assistant/user/assistant/...") }}
    {%- endif %}
    {%- if message["role"] == "user" %}
        {%- if loop.last and system_message is defined %}
            {{- "[INST] " + system_message + "\\n\\n" + message["content"] + "[/INST]" }}
        {%- else %}
            {{- "[INST] " + message["content"] + "[/INST]" }}
        {%- endif %}
    {%- elif message["role"] == "assistant" %}
        {{- " " + message["content"]|trim + eos_token }}
    {%- else %}
        {{- raise_exception("Only user and assistant roles are supported, with the exception of an initial optional system message!") }}
    {%- endif %}
{%- endfor %}
"""
ZEPHYR = (
    "{% for message in messages %}\n{% if message['role'] == 'user' %}\n{{ '<|user|>\n' + message['content'] + eos_token }}\n"
    "{% elif message['role'] == 'system' %}\n{{ '<|system|>\n' + message['content'] + eos_token }}\n"
    "{% elif message['role'] == 'assistant' %}\n{{ '<|assistant|>\n'  + message['content'] + eos_token }}\n{% endif %}\n"
    "{% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n{% endfor %}"
)
UNKNOWN = "{% for message in messages %}{{ '@@' + message['role'] | upper + ': ' + message['content'] + '\n' }}{% endfor %}"


def from_trl(name):
    return (importlib.resources.files("trl") / "chat_templates" / name).read_text(encoding="utf-8")


# name: (template, where it is from, bos_token, eos_token)
TEMPLATES = {
    "chatml": (CHATML, "this script", "<s>", "<|im_end|>"),
    "qwen2": (QWEN2, "this script", None, "<|im_end|>"),
    "qwen2_5": (from_trl("qwen2_5.jinja"), "trl", None, "<|im_end|>"),
    "llama2": (LLAMA2, "this script", "<s>", "</s>"),
    "llama3": (from_trl("llama3.jinja"), "trl", "<|begin_of_text|>", "<|eot_id|>"),
    "mistral_v0_1": (mistral(" + ' '"), "this script", "<s>", "</s>"),
    "mistral_v0_2": (mistral(""), "this script", "<s>", "</s>"),
    "mistral_v0_3": (MISTRAL_V0_3, "this script", "<s>", "</s>"),
    "zephyr": (ZEPHYR, "this script", "<s>", "</s>"),
    "gemma": (from_trl("gemma.jinja"), "trl", "<bos>", "<eos>"),
}


def turns(*pairs):
    return [{"role": role, "content": content} for role, content in pairs]


CONVERSATIONS = [
    turns(("user", "Hello")),
    turns(("user", "Hello"), ("assistant", "Hi there")),
    turns(("system", "Be brief."), ("user", "Hello")),
    turns(("system", "Be brief."), ("user", "Hello"), ("assistant", "Hi there")),
    turns(("user", "One"), ("assistant", "1"), ("user", "Two"), ("assistant", "2"), ("user", "Three")),
    turns(("system", "Count."), ("user", "One"), ("assistant", "1"), ("user", "Two"), ("assistant", "2")),
    turns(("system", " \nBe brief.\t\n"), ("user", "  Hello \n\n"), ("assistant", "\n  Hi\nthere  "), ("user", "\tBye ")),
    turns(("user", "\u00a0Hello\u3000\u2028"), ("assistant", "\u200bHi\ufeff\u00a0")),
    turns(("user", ""), ("assistant", "")),
    turns(("system", ""), ("user", "Hello")),
    turns(("user", "Naïve café 日本語 🦙 'quotes' \"double\" \\n {{ braces }}")),
    turns(("user", "<|im_end|></s>[/INST]<|eot_id|><end_of_turn><<SYS>>"), ("assistant", "<|im_start|>")),
    turns(("user", "One"), ("user", "Two")),
    turns(("assistant", "I begin."), ("user", "Then I.")),
    turns(("user", "One"), ("assistant", "1"), ("assistant", "1 again")),
    turns(("user", "One"), ("system", "Late."), ("assistant", "1")),
    turns(("system", "Only this.")),
    turns(("user", "One"), ("critic", "No such role")),
]

# For the templates that know tools: a call, its answer, and arguments that are not ASCII.
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Weather \"now\" in a city – today",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
]
TOOL_CALL = {"type": "function", "function": {"name": "get_weather", "arguments": {"city": "Zürich", "days": 2}}}
TOOL_CONVERSATIONS = [
    turns(("user", "Weather in Zürich?")),
    turns(("system", "Be brief."), ("user", "Weather in Zürich?"))
    + [
        {"role": "assistant", "content": "", "tool_calls": [TOOL_CALL]},
        {"role": "tool", "name": "get_weather", "content": '{"celsius": 7}'},
        {"role": "assistant", "content": "7 °C."},
    ],
    turns(("user", "Two cities."))
    + [
        {"role": "assistant", "content": "Let me see.", "tool_calls": [TOOL_CALL, TOOL_CALL]},
        {"role": "tool", "name": "get_weather", "content": "7"},
        {"role": "tool", "name": "get_weather", "content": "8"},
    ],
]


def config(template, bos, eos):
    return {"bos_token": bos, "eos_token": eos, "tokenizer_class": "PreTrainedTokenizerFast", "chat_template": template}


def render(template, bos, eos, messages, add_generation_prompt, tools):
    tokenizer = transformers.AutoTokenizer.from_pretrained(TOKENIZERS / "qwen2")
    tokenizer.bos_token, tokenizer.eos_token = bos, eos
    return tokenizer.apply_chat_template(
        messages, chat_template=template, tools=tools, tokenize=False, add_generation_prompt=add_generation_prompt
    )


def write_template(name, template, source, bos, eos):
    golden_io.save_json(OUT / name / "tokenizer_config.json", config(template, bos, eos))
    cases = []
    conversations = [(messages, None) for messages in CONVERSATIONS]
    if name == "qwen2_5":
        conversations += [(messages, tools) for messages in TOOL_CONVERSATIONS for tools in (None, TOOLS)]
    for messages, tools in conversations:
        for add_generation_prompt in (False, True):
            case = {"messages": messages, "add_generation_prompt": add_generation_prompt}
            if tools is not None:
                case["tools"] = tools
            try:
                case["text"] = render(template, bos, eos, messages, add_generation_prompt, tools)
            except jinja2.TemplateError as error:
                case["error"] = str(error)
            cases.append(case)
    golden_io.save_json(OUT / name / "golden.json", {"template_source": source, "cases": cases}, PEER)


def main():
    for name, template in TEMPLATES.items():
        write_template(name, *template)
    golden_io.save_json(OUT / "unknown" / "tokenizer_config.json", config(UNKNOWN, "<s>", "</s>"))


if __name__ == "__main__":
    main()
