#pragma once

#include <array>
#include <boost/test/unit_test.hpp>
#include <string>

#include "core/bytes.hpp"
#include "pg/page/page.hpp"
#include "pg/redo/heap_format.hpp"
#include "pg/redo/redo.hpp"

namespace strata::tests {

/// Bytes built field by field.
class payload {
 public:
  template <class T>
  payload& put(T value) {
    core::append_le(bytes_, value);
    return *this;
  }
  payload& put_bytes(core::bytes_view bytes) {
    core::append(bytes_, bytes);
    return *this;
  }
  payload& put_text(std::string_view text) {
    bytes_.insert(bytes_.end(), text.begin(), text.end());
    return *this;
  }
  operator core::bytes() const { return bytes_; }  // NOLINT: a payload is its bytes

 private:
  core::bytes bytes_;
};

/// A block record that owns its bytes: for block 5 of a relation unless changed.
struct sample {
  pg::wal::resource_manager manager{};
  std::uint8_t info = 0;
  core::bytes main_data{};
  core::bytes data{};
  std::uint8_t block_id = 0;
  bool will_init = false;
  pg::transaction_id xid = 700;
  std::array<pg::redo::block_record::address, 8> addresses{{{.present = true, .same_relation = true, .block = 5}}};

  [[nodiscard]] pg::redo::block_record record() const {
    return {.manager = manager,
            .info = info,
            .xid = xid,
            .block_id = block_id,
            .will_init = will_init,
            .data = data,
            .main_data = main_data,
            .addresses = addresses};
  }
  sample& reference(std::uint8_t id, pg::block_number block, pg::fork in_fork = pg::fork::main) {
    addresses[id] = {.present = true, .in_fork = in_fork, .same_relation = true, .block = block};
    return *this;
  }
};

/// A page and the redo of samples on it.
struct test_page {
  std::array<std::uint8_t, pg::page_size> bytes{};
  pg::redo::redo_context context{};

  [[nodiscard]] pg::page::slotted_page view() { return pg::page::slotted_page(bytes); }
  core::result<void> try_apply(const sample& of, std::uint64_t end) {
    return pg::redo::apply(of.record(), core::lsn(end), context, bytes);
  }
  void apply(const sample& of, std::uint64_t end) {
    const auto applied = try_apply(of, end);
    BOOST_REQUIRE_MESSAGE(applied.has_value(), (applied ? std::string() : core::to_string(applied.error())));
  }
  core::errc refusal(const sample& of, std::uint64_t end) {
    const auto applied = try_apply(of, end);
    BOOST_REQUIRE_MESSAGE(!applied.has_value(), "redo should have refused");
    BOOST_TEST_MESSAGE(core::to_string(applied.error()));
    return applied.error().code;
  }
  template <class T>
  T item_field(pg::page::item_number at, std::size_t offset) {
    return view().item(at).load<T>(offset);
  }
  std::string item_text(pg::page::item_number at, std::size_t offset) {
    const auto bytes_of_item = view().item(at).view().subspan(offset);
    return {bytes_of_item.begin(), bytes_of_item.end()};
  }
};

/// Bits of a heap tuple's infomask that redo copies and never looks at; the others are in pg/redo/heap_format.hpp.
inline constexpr std::uint16_t has_variable_width = 0x0002;
inline constexpr std::uint16_t xmin_frozen = 0x0300;

/// Heap/INSERT of a tuple whose body after the 23-byte header is a zero byte and `text`; xmax invalid.
inline sample heap_insert(pg::page::item_number at, std::string_view text, bool first_on_page = false) {
  return {.manager = pg::wal::resource_manager::heap,
          .info = static_cast<std::uint8_t>(first_on_page ? 0x80 : 0x00),
          .main_data = payload().put(at).put<std::uint8_t>(0),
          .data = payload()
                      .put<std::uint16_t>(2)
                      .put<std::uint16_t>(pg::redo::xmax_invalid | pg::redo::has_combo_command | has_variable_width)
                      .put<std::uint8_t>(24)
                      .put<std::uint8_t>(0)
                      .put_text(text),
          .will_init = first_on_page};
}

}  // namespace strata::tests
