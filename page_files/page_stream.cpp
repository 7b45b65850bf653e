#include "page_files/page_stream.hpp"

#include <algorithm>
#include <cstring>
#include <string>

#include "page_files/page_source.hpp"
#include "pg/wire/client_frames.hpp"

namespace strata::page_files {

namespace wire = pg::wire;

static_assert(page_range::count_max == wire::range_pages_max);

namespace {

constexpr std::size_t frame_header_size = 5;

/// Of the largest response: a whole range, or anything else a server sends before.
std::size_t response_size(std::uint32_t pages_max) {
  constexpr std::size_t other_frames_max = 16u << 10;
  const wire::pagestream_request request{.kind = wire::request_kind::range, .count = pages_max};
  return std::max(other_frames_max, wire::page_response_size(wire::pagestream_version::v4, request));
}

}  // namespace

page_stream::page_stream(const core::tenant_id& tenant, const core::timeline_id& timeline, std::uint32_t pages_max)
    : capacity_(response_size(pages_max)), input_(std::make_unique_for_overwrite<std::uint8_t[]>(capacity_)) {
  wire::append_startup(output_, {{"user", "strata"}, {"application_name", "page_files"}});
  wire::append_query(output_, "pagestream_v4 " + to_string(tenant) + " " + to_string(timeline));
}

void page_stream::ask(const wire::pagestream_request& request) {
  wire::append_request(output_, wire::pagestream_version::v4, request);
}

void page_stream::sent(std::size_t count) {
  sent_ += count;
  if (sent_ < output_.size()) return;
  output_.clear();
  sent_ = 0;
}

core::bytes_span page_stream::room() {
  if (begin_ == end_) {
    begin_ = end_ = 0;
  } else if (end_ == capacity_) {
    std::memmove(input_.get(), input_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  return {input_.get() + end_, capacity_ - end_};
}

core::result<std::optional<core::bytes_view>> page_stream::next() {
  for (;;) {
    const core::bytes_view input(input_.get() + begin_, end_ - begin_);
    STRATA_ASSIGN(const auto frame, wire::parse_backend_frame(input, capacity_ - frame_header_size));
    if (!frame) return std::optional<core::bytes_view>();
    begin_ += frame->size;
    switch (frame->tag) {
      case 'd':
        if (!opened_) return core::error{core::errc::corrupt, "an answer before the page stream was opened"};
        return std::optional(frame->body);
      case 'W': opened_ = true; break;
      case 'R':
        if (frame->body.size() != 4 || core::load_be<std::uint32_t>(frame->body.data()) != 0)
          return core::error{core::errc::unavailable, "not the page service: the server asks for a password"};
        break;
      case 'S':
      case 'K':
      case 'N':
      case 'Z': break;
      case 'E': return core::error{core::errc::unavailable, wire::parse_complaint(frame->body).message};
      case 'c':
      case 'C': return core::error{core::errc::unavailable, "the server has ended the page stream"};
      default:
        return core::error{core::errc::corrupt,
                           std::string("not a page stream: a message of type ") + static_cast<char>(frame->tag)};
    }
  }
}

}  // namespace strata::page_files
