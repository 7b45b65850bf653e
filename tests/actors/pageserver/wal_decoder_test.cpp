#include "actors/pageserver/ingest/wal_decoder.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <future>

#include "core/blocking.hpp"

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
        BOOST_REQUIRE((progress != wal_decoder::progress::needs_disk));
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

  /// A relation of one block was received, and is in a layer file that is not open for an decoder that comes now.
  void write_relation_and_take_it_in() {
    written.append(page_image(heap, 0, make_page(1)));
    take_in();
  }
  std::unique_ptr<wal_decoder> open_cold() {
    auto decoder = wal_decoder::open(store).value();
    const std::uint64_t end = layers->next_ticket();
    for (std::uint64_t ticket = 1; ticket < end; ++ticket) layers->forget(ticket);
    return decoder;
  }
  /// What work() says to all of `of` from the decoder's position on, on a thread that must not block.
  static wal_decoder::progress work_on(wal_decoder& decoder, wal_builder& of) {
    const core::no_blocking scope("test");
    BOOST_REQUIRE(decoder.feed(core::bytes_view(of.stream()).subspan(decoder.position() - of.start())).has_value());
    return decoder.work().value();
  }

  static constexpr pg::relation_fork heap{pg::default_tablespace, 5, 16384, pg::fork::main};
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

BOOST_AUTO_TEST_CASE(a_record_that_needs_the_disk_is_added_by_a_step_elsewhere) {
  write_relation_and_take_it_in();
  const auto decoder = open_cold();
  written.append(page_image(heap, 4, make_page(2)));
  write(written, 3, 'a');
  BOOST_REQUIRE((work_on(*decoder, written) == wal_decoder::progress::needs_disk));
  BOOST_TEST(!decoder->has_batch());
  auto step = decoder->take_disk_step();
  BOOST_REQUIRE(std::async(std::launch::async, step).get().has_value());
  BOOST_TEST((decoder->work().value() == wal_decoder::progress::used_up));
  const auto batch = decoder->take_batch();
  BOOST_TEST((batch->last_record_end() == written.position()));
  BOOST_TEST((batch->trace()->end.align_up() == written.position()));
  store->append(std::move(*batch));
  BOOST_TEST(size(heap).value() == 5u);
}

BOOST_AUTO_TEST_CASE(a_step_outlives_the_intake_and_the_bytes_that_were_fed_and_nothing_is_lost) {
  write_relation_and_take_it_in();
  const core::lsn before = now();
  wal_decoder::disk_step left;
  {
    wal_builder fed = written;
    fed.append(page_image(heap, 4, make_page(2)));
    const auto decoder = open_cold();
    BOOST_REQUIRE((work_on(*decoder, fed) == wal_decoder::progress::needs_disk));
    left = decoder->take_disk_step();
  }
  BOOST_TEST(left().has_value());
  BOOST_TEST((now() == before));
  const auto again = open_cold();
  written.append(page_image(heap, 4, make_page(2)));
  BOOST_REQUIRE((work_on(*again, written) == wal_decoder::progress::needs_disk));
  BOOST_REQUIRE(again->take_disk_step()().has_value());
  BOOST_TEST((again->work().value() == wal_decoder::progress::used_up));
  store->append(std::move(*again->take_batch()));
  BOOST_TEST((now() == written.position()));
  BOOST_TEST(size(heap).value() == 5u);
}

BOOST_AUTO_TEST_CASE(a_database_is_copied_by_a_step_after_everything_before_it) {
  write_relation_and_take_it_in();
  const auto decoder = open_cold();
  write(written, 1, 'a');
  written.append(
      {.manager = pg::wal::resource_manager::database,
       .main_data = payload_of(std::uint32_t{77}, pg::default_tablespace, std::uint32_t{5}, pg::default_tablespace)});
  BOOST_REQUIRE((work_on(*decoder, written) == wal_decoder::progress::barrier));
  store->append(std::move(*decoder->take_batch()));
  decoder->passed_barrier();
  BOOST_REQUIRE((decoder->work().value() == wal_decoder::progress::needs_disk));
  auto step = decoder->take_disk_step();
  BOOST_REQUIRE(step().has_value());
  BOOST_TEST((decoder->work().value() == wal_decoder::progress::batch_full));
  store->append(std::move(*decoder->take_batch()));
  pg::relation_fork copy = heap;
  copy.database = 77;
  BOOST_TEST(size(copy).value() == 1u);
}

BOOST_AUTO_TEST_SUITE_END()
