#include "actors/pageserver/ingest/wal_decoder.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "tests/storage/mapping/mapping_fixture.hpp"

using namespace strata;
using namespace strata::tests;
using actors::pageserver::wal_decoder;

namespace {

constexpr std::uint8_t noop = 0x20;

/// A root that follows a source, and what that has written.
struct followed_cluster : mapping_fixture {
  followed_cluster() : written({.start = start, .previous = start - 16}) {
    auto with_source = store->record();
    with_source.source = storage::source_record{"host=h", "s"};
    reopen(with_source);
  }
  void reopen_as_it_is() { reopen(metadata->timeline(record.tenant, record.id).value()); }

  static void write(wal_builder& to, int records, std::uint8_t letter) {
    for (int i = 0; i < records; ++i) to.append({.info = noop, .main_data = core::bytes(1000, letter)});
  }
  /// What `of` has written from the decoder's position on.
  static core::result<void> feed(wal_decoder& decoder, wal_builder& of, std::size_t part = 20'000) {
    core::bytes_view rest = core::bytes_view(of.stream()).subspan(decoder.position() - of.start());
    for (; !rest.empty(); rest = rest.subspan(std::min(part, rest.size()))) {
      STRATA_TRY(decoder.feed(rest.first(std::min(part, rest.size()))));
      for (auto progress = wal_decoder::progress::batch_full; progress != wal_decoder::progress::used_up;) {
        STRATA_ASSIGN(progress, decoder.work());
      }
    }
    return {};
  }
  /// Takes all of it in and makes it durable.
  void take_in() {
    const auto decoder = wal_decoder::open(store).value();
    decoder->set_source_timeline(3);
    BOOST_REQUIRE(feed(*decoder, written).has_value());
    store->append(std::move(*decoder->take_batch()));
    store->freeze();
    BOOST_REQUIRE(store->flush_oldest().has_value());
  }
  [[nodiscard]] bool refuses(wal_builder& other) {
    const auto fed = feed(*wal_decoder::open(store).value(), other);
    return !fed && fed.error().code == core::errc::conflict &&
           fed.error().detail.find("not the same server") != std::string::npos;
  }

  wal_builder written;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(actors_pageserver_wal_decoder, followed_cluster)

BOOST_AUTO_TEST_CASE(what_was_received_is_compared_before_anything_new_is_taken_in) {
  for (const int records : {1, 10, 1500, 2500}) {
    write(written, records, 'a');
    take_in();
    reopen_as_it_is();
    const auto trace = store->received();
    BOOST_REQUIRE(trace.has_value());
    BOOST_TEST((trace->end.align_up() == store->last_record_lsn() && trace->source_timeline == 3));
    BOOST_TEST((metadata->timeline(record.tenant, record.id)->source->received == trace));

    wal_builder more = written;
    write(more, 5, 'b');
    const auto decoder = wal_decoder::open(store).value();
    BOOST_TEST((decoder->position() == trace->begin));
    BOOST_TEST(decoder->comparing());
    BOOST_REQUIRE(feed(*decoder, more).has_value());
    BOOST_TEST(!decoder->comparing());
    BOOST_TEST((decoder->take_batch()->last_record_end() == more.position()));
  }
}

BOOST_AUTO_TEST_CASE(other_bytes_anywhere_in_the_stretch_are_another_server) {
  write(written, 2500, 'a');
  const core::bytes before = written.stream();
  take_in();
  const auto trace = *store->received();
  for (const std::uint64_t at : {trace.begin - start, trace.middle - start, trace.end - start - 1}) {
    written.stream()[at] ^= 1;
    BOOST_TEST(refuses(written));
    written.stream() = before;
  }
  BOOST_TEST(!refuses(written));
}

BOOST_AUTO_TEST_CASE(a_server_put_back_that_did_as_much_again_is_another_one) {
  write(written, 20, 'a');
  wal_builder put_back = written;
  write(written, 20, 'b');
  take_in();
  write(put_back, 20, 'c');
  BOOST_TEST((put_back.position() == written.position()));
  BOOST_TEST(refuses(put_back));  // its next record will start at our position
  write(put_back, 20, 'c');
  BOOST_TEST(refuses(put_back));
  reopen_as_it_is();
  BOOST_TEST(refuses(put_back));
}

BOOST_AUTO_TEST_CASE(a_source_that_switched_segments_is_compared_up_to_the_switch) {
  write(written, 3, 'a');
  written.append_switch();
  take_in();
  BOOST_TEST((store->last_record_lsn() == written.position()));
  const auto again = wal_decoder::open(store).value();
  BOOST_REQUIRE(feed(*again, written).has_value());
  BOOST_TEST(!again->comparing());
  BOOST_TEST((again->position() == written.position()));
  written.stream()[100] ^= 1;
  BOOST_TEST(refuses(written));
}

BOOST_AUTO_TEST_CASE(without_a_trace_the_first_record_must_follow_the_last_one_received) {
  write(written, 2, 'a');
  take_in();
  auto without = metadata->timeline(record.tenant, record.id).value();
  without.source->received.reset();
  reopen(without);
  wal_builder other({.start = written.position(), .previous = written.previous() - 8});
  write(other, 1, 'b');
  BOOST_TEST(refuses(other));
  wal_builder nothing({.start = written.position(), .previous = written.previous()});
  nothing.stream().resize(64);
  BOOST_TEST(refuses(nothing));
  wal_builder same({.start = written.position(), .previous = written.previous()});
  write(same, 1, 'b');
  BOOST_TEST(!refuses(same));
}

BOOST_AUTO_TEST_SUITE_END()
