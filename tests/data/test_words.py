"""The tokenizer `words`: lists written by hand, and what holds for any bytes."""

import unicodedata

import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st

from elmo_tf2.data.tokenizers import (
    TOKENIZERS,
    put_words_apart,
    split_at_spaces,
    split_words,
    tokenize,
)
from tests.processes import run_python

SPLIT = tf.function(split_words, input_signature=[tf.TensorSpec([None], tf.string)])


def words(text):
    """The words of one text."""
    tokens, (length,) = SPLIT(tf.constant([text], tf.string))
    return [token.decode() for token in tokens.numpy()[0][:length]]


# By hand. Expected words are given with spaces between them.


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"Don\'t!" she said.', '" Do n\'t ! " she said .'),
        ("I can't, won't and shouldn't've.", "I ca n't , wo n't and should n't 've ."),
        (
            "John's, we'll, I'm, they're, I've, he'd",
            "John 's , we 'll , I 'm , they 're , I 've , he 'd",
        ),
        ("It’s John’s; we don’t", "It ’s John ’s ; we do n’t"),
        ("DON'T, IT'S", "DO N'T , IT 'S"),
        ("the dogs' tails", "the dogs ' tails"),
        ("I cannot go", "I cannot go"),
        ("O'Neil's ma'am o'clock rock'n'roll", "O'Neil 's ma'am o'clock rock'n'roll"),
        ("'quoted' ''twice'' ``old''", "' quoted ' '' twice '' `` old ''"),
        ("'single quotes', 's", "' single quotes ' , 's"),
        ("a well-known e-mail, a-b-c", "a well-known e-mail , a-b-c"),
        ("a,b;c:d (e) [f] {g} <h>", "a , b ; c : d ( e ) [ f ] { g } < h >"),
        ("word--word and...then ?!? wait....", "word -- word and ... then ? ! ? wait ...."),
        ("The end.Next one.", "The end . Next one ."),
        ("AT&T's R&D & more", "AT&T 's R&D & more"),
        ("“Yes,” he said—“no…”", "“ Yes , ” he said — “ no … ”"),
        ("and/or snake_case #tag @user C++ C#", "and / or snake_case # tag @ user C ++ C #"),
    ],
)
def test_english(text, expected):
    assert words(text) == expected.split(" ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Mr. Smith met Dr. Jones.", "Mr. Smith met Dr. Jones ."),
        ("The U.S. Army's U.S.-led e.g. a.m. end.", "The U.S. Army 's U.S.-led e.g. a.m. end ."),
        ("George W. Bush and J. R. R. Tolkien", "George W. Bush and J. R. R. Tolkien"),
        ("J.R.R. Tolkien", "J.R.R. Tolkien"),
        ("This is plan B.", "This is plan B ."),
        ("This is plan B. ", "This is plan B ."),
        ("Apple Inc. has a Ph.D., etc.", "Apple Inc. has a Ph.D. , etc."),
        ("USA. Mrs.X", "USA . Mrs. X"),
        ("the U.S.'s", "the U.S. 's"),
    ],
)
def test_abbreviations_keep_their_points(text, expected):
    assert words(text) == expected.split(" ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3.14, 1,000.50 and 10:30.", "3.14 , 1,000.50 and 10:30 ."),
        ("12/25/2001, 24/7, 1/2.", "12/25/2001 , 24/7 , 1/2 ."),
        ("$5, 5%, €3.50, -7 and 2+2=4", "$ 5 , 5 % , € 3.50 , - 7 and 2 + 2 = 4"),
        ("the 1990s, 1990–2000, 3rd, 2-3", "the 1990s , 1990 – 2000 , 3rd , 2-3"),
        ("v1.5rc2 in 1999.", "v1.5rc2 in 1999 ."),
        ("It is 3.5. See 1.2.3.4.", "It is 3.5 . See 1.2.3.4 ."),
        ("٣٫١٤ ١٬٠٠٠", "٣٫١٤ ١٬٠٠٠"),
        ("½ of 20°", "½ of 20 °"),
    ],
)
def test_numbers(text, expected):
    assert words(text) == expected.split(" ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("See http://www.x.org/a?b=1&c=2.", "See http://www.x.org/a?b=1&c=2 ."),
        ("(https://en.wikipedia.org/wiki/ELMo)", "( https://en.wikipedia.org/wiki/ELMo )"),
        ("www.example.com, example.com", "www.example.com , example.com"),
        ("Write bob.x+y@mail.ex-ample.co.uk!", "Write bob.x+y@mail.ex-ample.co.uk !"),
        ("at http://x.org/之后", "at http://x.org/ 之 后"),
    ],
)
def test_addresses_are_words(text, expected):
    assert words(text) == expected.split(" ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # German
        ("Straße, „über 3,5 Öl“, z.B. E-Mail!", "Straße , „ über 3,5 Öl “ , z.B. E-Mail !"),
        # Chinese, with and without spaces
        ("他说：“你好！”", "他 说 ： “ 你 好 ！ ”"),
        ("我用TensorFlow 2写代码。", "我 用 TensorFlow 2 写 代 码 。"),
        ("𠮷野家", "𠮷 野 家"),
        # Japanese: Han, Hiragana, Katakana of both widths, with combining marks
        ("日本語のテキスト。", "日 本 語 の テ キ ス ト 。"),
        ("スーパー、々〇", "ス ー パ ー 、 々 〇"),
        ("か\u3099 ｶﾞｰ", "か\u3099 ｶ ﾞ ｰ"),
        # Korean
        ("한국어 문장입니다.", "한국어 문장입니다 ."),
        # Arabic and Persian, with the joiner inside a word
        ("مرحبا، كيف حالك؟", "مرحبا ، كيف حالك ؟"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        # Hindi
        ("मैं हूँ।", "मैं हूँ ।"),
        # Catalan, French, Spanish
        ("col·lecció l'homme ¿qué?", "col·lecció l'homme ¿ qué ?"),
        # decomposed letters
        ("cafe\u0301s", "cafe\u0301s"),
    ],
)
def test_other_languages(text, expected):
    assert words(text) == expected.split(" ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I👍you❤️!", "I 👍 you ❤️ !"),
        ("👍🏽👍🏽", "👍🏽 👍🏽"),
        ("👩‍👩‍👧 👩🏽‍🚀", "👩‍👩‍👧 👩🏽‍🚀"),
        ("🇩🇪🇫🇷", "🇩🇪 🇫🇷"),
        ("🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🏴󠁧󠁢󠁥󠁮󠁧󠁿"),
        ("1️⃣", "1️⃣"),
        ("™ © →", "™ © →"),
        ("……——", "…… ——"),
    ],
)
def test_emoji_and_symbols(text, expected):
    assert words(text) == expected.split(" ")


# What splits.


@pytest.mark.parametrize(
    "space",
    "\t \n \r \x00 \x1f \x7f \x85 \xa0 \u1680 \u2003 \u2028 \u202f \u3000 \ufeff \u200b \u200e"
    " \u202a \u2066".split(" "),
)
def test_white_space_control_characters_and_marks_of_direction_split(space):
    assert words(f"{space}a{space}{space}b{space}") == ["a", "b"]


def test_every_white_space_of_unicode_splits():
    spaces = [chr(code) for code in range(0x110000) if chr(code).isspace()]
    assert words("a".join(spaces)) == ["a"] * (len(spaces) - 1)


def test_soft_hyphens_vanish():
    assert words("Donau\u00addampf \u00ad") == ["Donaudampf"]


def test_bytes_that_are_not_utf8_become_replacement_characters():
    tokens, _ = SPLIT(tf.constant([b"caf\xe9 \xff\xfea"]))
    assert tokens.numpy()[0, 0].decode() == "caf"
    assert set(b"".join(tokens.numpy()[0]).decode()) == set("cafa\ufffd")


# Text that is tokenised already.


@pytest.mark.parametrize(
    "text",
    [
        "We do n't know John 's dog , they 'll see .",
        "The U.S. , Mr. Smith and J. Doe paid $ 3.14 -- `` a lot '' .",
        "It ’s n’t 's",
        "他 说 ： 好 。",
    ],
)
def test_tokenised_text_is_left_alone(text):
    assert words(text) == text.split(" ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("<unk> @-@ @,@", "< unk > @ - @ @ , @"), ("-LRB- x -RRB-", "- LRB - x - RRB -")],
)
def test_marks_of_other_tokenizers_come_apart(text, expected):
    assert words(text) == expected.split(" ")


@pytest.mark.parametrize(
    "text", ["<S>", "</S>", "a<S>b", "< S >", "<\u00adS>", "x </S></S>", "<UNK>"]
)
def test_no_text_holds_a_boundary(text):
    assert not {"<S>", "</S>", "<UNK>"} & set(words(text))


# What holds for any text.

awkward = st.lists(
    st.one_of(
        st.sampled_from(
            list("aAnNtTsSl  .,'’-_&/:01!?<>@#$=~+*()\"\\|`\u0301\u200d日ー…—“”\u00ad️👍🏽♀🇩é٣٫·ſ")
        ),
        st.sampled_from(
            [
                "n't",
                "'s",
                "’ll",
                "'ve",
                "Mr.",
                "U.S.",
                "J. ",
                "www.",
                "http://",
                "a@b.co",
                "\x00",
                "\u3000",
            ]
        ),
        st.characters(),
    ),
    max_size=25,
).map("".join)
any_bytes = st.one_of(awkward.map(lambda text: text.encode("utf-8", "surrogatepass")), st.binary())


@settings(max_examples=1000)
@given(st.lists(any_bytes, min_size=1, max_size=20))
@example(
    [b"don'tn't", b"a's's's", b"U.S.'s's", b"J. \xe3\x80\x80", b"\xf0\x9f\x91\x8d\xe2\x80\x8d<"]
)
def test_what_was_split_is_split_the_same_again(texts):
    once = [text.split() for text in put_words_apart(tf.constant(texts)).numpy()]
    joined = [b" ".join(tokens) for tokens in once]
    assert [text.split() for text in put_words_apart(tf.constant(joined)).numpy()] == once


@settings(max_examples=300)
@given(st.lists(awkward.map(lambda text: text.encode("utf-8", "ignore")), min_size=1, max_size=20))
def test_nothing_but_what_is_invisible_is_lost(texts):
    def visible(text):
        return [c for c in text.decode() if not c.isspace() and unicodedata.category(c)[0] != "C"]

    for text, split in zip(texts, put_words_apart(tf.constant(texts)).numpy(), strict=True):
        assert visible(split) == visible(text)


@given(st.lists(any_bytes, max_size=5))
def test_the_interface_is_that_of_split_at_spaces(texts):
    strings = tf.constant(texts, tf.string, [len(texts)])
    tokens, lengths = SPLIT(strings)
    apart = [text.split() for text in put_words_apart(strings).numpy()]
    longest = max(map(len, apart), default=0)
    assert tokens.numpy().tolist() == [row + [b""] * (longest - len(row)) for row in apart]
    assert lengths.dtype == tf.int32
    assert lengths.numpy().tolist() == list(map(len, apart))


def test_a_text_of_no_words_and_no_text_have_no_tokens():
    assert words("") == words(" \t\u3000\u200b") == []
    assert split_words(tf.constant([], tf.string))[0].shape == (0, 0)


def test_a_word_may_be_very_long():
    assert words("a" * 100_000) == ["a" * 100_000]
    assert len(words("a,'" * 50_000)) == 150_000


def test_the_patterns_fit_in_the_memory_of_re2(capfd):
    # Past it RE2 complains on standard error, and is thirty times slower.
    text = "".join(f"{chr(code)}a " for code in range(32, 0x20000) if not 0xD800 <= code < 0xE000)
    put_words_apart(tf.constant([text, "Don't e-mail 3.14 to U.S.-led http://x.org, a@b.co!"]))
    assert "memory" not in capfd.readouterr().err


# Both tokenizers.


@pytest.mark.parametrize(("name", "split"), [("spaces", split_at_spaces), ("words", split_words)])
def test_a_tokenizer_is_called_by_its_name(name, split):
    strings = tf.constant(["It's here.", "a b"])
    for found, expected in zip(tokenize(strings, name), split(strings), strict=True):
        assert found.numpy().tolist() == expected.numpy().tolist()
    assert name in TOKENIZERS


def test_an_unknown_tokenizer_is_refused():
    with pytest.raises(ValueError, match=r"`tokenizer` must be one of \['spaces', 'words'\]"):
        tokenize(tf.constant(["a"]), "wordpiece")


@pytest.mark.slow
def test_a_saved_model_needs_tensorflow_alone(tmp_path):
    module = tf.Module()
    module.split = tf.function(split_words, input_signature=[tf.TensorSpec([None], tf.string)])
    tf.saved_model.save(module, str(tmp_path))
    code = (
        "import sys, tensorflow as tf\n"
        "split = tf.saved_model.load(sys.argv[1]).split\n"
        "print([t.decode() for t in split(tf.constant(['Don’t, 日本!']))[0].numpy()[0]])\n"
        "assert 'tensorflow_text' not in sys.modules and 'elmo_tf2' not in sys.modules\n"
    )
    result = run_python("-c", code, tmp_path, cwd=tmp_path)
    assert result.stdout.strip() == "['Do', 'n’t', ',', '日', '本', '!']", result.stderr
