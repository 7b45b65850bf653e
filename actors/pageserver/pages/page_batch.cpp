#include "actors/pageserver/pages/page_batch.hpp"

#include <algorithm>

namespace strata::actors::pageserver {

namespace mapping = storage::mapping;
namespace wire = pg::wire;

core::lsn page_batch::awaited() const {
  const core::lsn last = store_->last_record_lsn();
  core::lsn awaited;
  for (const auto& request : requests_) {
    const auto position = wire::position_of(request, last);
    if (position && position->wait) awaited = std::max(awaited, position->at);
  }
  return awaited;
}

void page_batch::prepare() {
  std::size_t size = 0;
  for (const auto& request : requests_) size += wire::page_response_size(version_, request);
  // Invariant: the buffer does not move while reads_ has spans of it.
  responses_.reserve(size);
  reads_.reserve(pages_);
  answers_.reserve(requests_.size());
  const core::lsn last = store_->last_record_lsn();
  for (const auto& request : requests_) prepare_answer(request, last);
}

void page_batch::prepare_answer(const wire::pagestream_request& request, core::lsn last_record_lsn) {
  answer made{.first_read = reads_.size(), .pages = wire::pages_of(request), .begin = responses_.size()};
  made.pages_begin = wire::append_pages(responses_, version_, request);
  for (std::size_t i = 0; i < made.pages; ++i) {
    auto& read = reads_.emplace_back();
    read.relation = request.relation;
    read.block = request.block + static_cast<pg::block_number>(i);
    read.page = core::bytes_span(responses_).subspan(made.pages_begin + i * pg::page_size, pg::page_size);
    read.must_exist = request.kind == wire::request_kind::range;
  }
  if (const auto position = wire::position_of(request, last_record_lsn); !position) {
    made.failure = position.error();
  } else {
    made.at = position->at;
    if (answers_.empty() || answers_.back().at != made.at) {
      if (auto readable = store_->check_readable(made.at); !readable) made.failure = readable.error();
    } else {
      made.failure = answers_.back().failure;
    }
  }
  made.open = !made.failure;
  answers_.push_back(std::move(made));
}

bool page_batch::read(storage::read_mode mode) {
  if (answers_.empty()) prepare();
  for (std::size_t begin = 0; begin < answers_.size();) {
    std::size_t end = begin;
    while (end < answers_.size() && answers_[end].open && answers_[end].at == answers_[begin].at) ++end;
    if (end > begin) read_run(begin, end, mode);
    begin = std::max(end, begin + 1);
  }
  return std::none_of(answers_.begin(), answers_.end(), [](const answer& each) { return each.open; });
}

void page_batch::read_run(std::size_t begin, std::size_t end, storage::read_mode mode) {
  const std::size_t first = answers_[begin].first_read;
  const std::size_t count = answers_[end - 1].first_read + answers_[end - 1].pages - first;
  const auto run = std::span(reads_).subspan(first, count);
  for (auto& read : run) read.failure.reset();
  mapping::read_relation_pages(*store_, run, answers_[begin].at, mode);
  for (std::size_t i = begin; i < end; ++i) {
    answer& each = answers_[i];
    each.open = false;
    each.failure.reset();
    for (const auto& read : std::span(reads_).subspan(each.first_read, each.pages)) {
      if (!read.failure) continue;
      each.open = each.open || read.failure->code == core::errc::would_block;
      if (!each.failure) each.failure = read.failure;
    }
    if (!each.failure && requests_[i].kind == wire::request_kind::range)
      wire::store_range_checksum(responses_, each.pages_begin, requests_[i].count);
  }
}

core::bytes_view page_batch::response(std::size_t index) const {
  const std::size_t end = index + 1 < answers_.size() ? answers_[index + 1].begin : responses_.size();
  return core::bytes_view(responses_).subspan(answers_[index].begin, end - answers_[index].begin);
}

core::bytes page_batch::take_responses() {
  if (std::none_of(answers_.begin(), answers_.end(), [](const answer& each) { return each.failure.has_value(); }))
    return std::move(responses_);
  core::bytes mixed;
  mixed.reserve(responses_.size());
  for (std::size_t i = 0; i < requests_.size(); ++i) {
    if (answers_[i].failure)
      wire::append_request_error(mixed, version_, requests_[i], *answers_[i].failure);
    else
      core::append(mixed, response(i));
  }
  return mixed;
}

core::bytes page_batch::fail(const core::error& why) const {
  core::bytes errors;
  for (const auto& request : requests_) wire::append_request_error(errors, version_, request, why);
  return errors;
}

namespace {

core::result<void> answer(const storage::timeline_store& store, wire::pagestream_version version,
                          const wire::pagestream_request& request, core::bytes& to) {
  constexpr auto mode = storage::read_mode::may_block;
  STRATA_ASSIGN(const auto position, wire::position_of(request, store.last_record_lsn()));
  STRATA_TRY(store.check_readable(position.at));
  switch (request.kind) {
    case wire::request_kind::exists: {
      STRATA_ASSIGN(const bool exists, mapping::relation_exists(store, request.relation, position.at, mode));
      wire::append_exists(to, version, request, exists);
      return {};
    }
    case wire::request_kind::size: {
      STRATA_ASSIGN(const auto blocks, mapping::relation_size(store, request.relation, position.at, mode));
      if (!blocks && (request.relation.fork == pg::fork::main || request.relation.fork == pg::fork::init))
        return core::error{core::errc::not_found,
                           "relation " + to_string(request.relation) + " does not exist at " + to_string(position.at)};
      wire::append_size(to, version, request, blocks.value_or(0));
      return {};
    }
    case wire::request_kind::database_size: {
      STRATA_ASSIGN(const auto size, mapping::database_size_bytes(store, request.relation.database, position.at));
      wire::append_database_size(to, version, request, size);
      return {};
    }
    case wire::request_kind::slru_segment: {
      STRATA_ASSIGN(const auto pages, mapping::slru_segment(store, request.slru, request.slru_segment, position.at));
      wire::append_slru_segment(to, version, request, pages);
      return {};
    }
    case wire::request_kind::page:
    case wire::request_kind::range: break;
  }
  return core::error{core::errc::invalid_argument, "not a request for metadata"};
}

}  // namespace

void answer_request(const storage::timeline_store& store, wire::pagestream_version version,
                    const wire::pagestream_request& request, core::bytes& to) {
  if (auto answered = answer(store, version, request, to); !answered)
    wire::append_request_error(to, version, request, answered.error());
}

}  // namespace strata::actors::pageserver
