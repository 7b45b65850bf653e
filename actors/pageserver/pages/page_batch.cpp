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
  responses_.reserve(requests_.size() * wire::page_response_size(version_));
  const core::lsn last = store_->last_record_lsn();
  for (const auto& request : requests_) {
    page_at_.push_back(wire::append_page(responses_, version_, request));
    auto& read = reads_.emplace_back();
    read.relation = request.relation;
    read.block = request.block;
    read.page = core::bytes_span(responses_).subspan(page_at_.back(), pg::page_size);
    const auto position = wire::position_of(request, last);
    positions_.push_back(position ? position->at : core::lsn());
    open_.push_back(position.has_value());
    if (!position) {
      read.failure = position.error();
    } else if (positions_.size() == 1 || positions_.back() != *(positions_.end() - 2)) {
      if (auto readable = store_->check_readable(position->at); !readable) read.failure = readable.error();
    } else {
      read.failure = (reads_.end() - 2)->failure;
    }
    if (read.failure) open_.back() = false;
  }
}

bool page_batch::read(storage::read_mode mode) {
  if (reads_.empty()) prepare();
  for (std::size_t begin = 0; begin < reads_.size();) {
    std::size_t end = begin;
    while (end < reads_.size() && open_[end] && positions_[end] == positions_[begin]) ++end;
    if (end > begin) read_run(begin, end, mode);
    begin = std::max(end, begin + 1);
  }
  return std::find(open_.begin(), open_.end(), true) == open_.end();
}

void page_batch::read_run(std::size_t begin, std::size_t end, storage::read_mode mode) {
  const auto run = std::span(reads_).subspan(begin, end - begin);
  for (auto& read : run) read.failure.reset();
  mapping::read_relation_pages(*store_, run, positions_[begin], mode);
  for (std::size_t i = begin; i < end; ++i)
    open_[i] = reads_[i].failure && reads_[i].failure->code == core::errc::would_block;
}

core::bytes page_batch::take_responses() {
  if (std::none_of(reads_.begin(), reads_.end(), [](const auto& read) { return read.failure.has_value(); }))
    return std::move(responses_);
  core::bytes mixed;
  mixed.reserve(responses_.size());
  for (std::size_t i = 0; i < requests_.size(); ++i) {
    if (reads_[i].failure) {
      wire::append_request_error(mixed, version_, requests_[i], reads_[i].failure->detail);
    } else {
      const std::size_t at = wire::append_page(mixed, version_, requests_[i]);
      std::copy(reads_[i].page.begin(), reads_[i].page.end(), mixed.begin() + static_cast<std::ptrdiff_t>(at));
    }
  }
  return mixed;
}

core::bytes page_batch::fail(const core::error& why) const {
  core::bytes errors;
  for (const auto& request : requests_) wire::append_request_error(errors, version_, request, why.detail);
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
    case wire::request_kind::page: break;
  }
  return core::error{core::errc::invalid_argument, "not a request for metadata"};
}

}  // namespace

void answer_request(const storage::timeline_store& store, wire::pagestream_version version,
                    const wire::pagestream_request& request, core::bytes& to) {
  if (auto answered = answer(store, version, request, to); !answered)
    wire::append_request_error(to, version, request, answered.error().detail);
}

}  // namespace strata::actors::pageserver
