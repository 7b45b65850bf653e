#include "pg/verify/page_pool.hpp"

namespace strata::pg::verify {

page_pool::relation_pages* page_pool::pages_of(const relation_fork& relation, bool make) {
  recent& remembered = recent_[std::hash<relation_fork>{}(relation) % recent_.size()];
  if (remembered.pages != nullptr && remembered.relation == relation) return remembered.pages;
  const auto found = make ? relations_.try_emplace(relation).first : relations_.find(relation);
  if (found == relations_.end()) return nullptr;
  remembered = {relation, &found->second};
  return remembered.pages;
}

std::unique_ptr<page_bytes>* page_pool::slot(const relation_fork& relation, block_number block, bool make) {
  relation_pages* pages = pages_of(relation, make);
  if (pages == nullptr) return nullptr;
  const block_number number = block / chunk_blocks;
  if (pages->last == nullptr || pages->last_number != number) {
    auto found = pages->chunks.find(number);
    if (found == pages->chunks.end()) {
      if (!make) return nullptr;
      found = pages->chunks.emplace(number, std::make_unique<chunk>()).first;
    }
    pages->last_number = number;
    pages->last = found->second.get();
  }
  return &(*pages->last)[block % chunk_blocks];
}

page_bytes* page_pool::find(const relation_fork& relation, block_number block) {
  const auto* found = slot(relation, block, false);
  return found == nullptr ? nullptr : found->get();
}

page_bytes* page_pool::make(const relation_fork& relation, block_number block) {
  if (full()) return find(relation, block);
  auto& page = *slot(relation, block, true);
  if (!page) {
    page = std::make_unique<page_bytes>();
    ++size_;
  }
  return page.get();
}

void page_pool::drop(const relation_fork& relation, block_number block) {
  auto* found = slot(relation, block, false);
  if (found == nullptr || !*found) return;
  found->reset();
  --size_;
}

void page_pool::truncate(const relation_fork& relation, block_number first) {
  relation_pages* pages = pages_of(relation, false);
  if (pages == nullptr) return;
  pages->last = nullptr;
  for (auto at = pages->chunks.lower_bound(first / chunk_blocks); at != pages->chunks.end();) {
    const bool whole = at->first * std::uint64_t{chunk_blocks} >= first;
    for (block_number i = whole ? 0 : first % chunk_blocks; i < chunk_blocks; ++i) {
      auto& page = (*at->second)[i];
      if (!page) continue;
      page.reset();
      --size_;
    }
    at = whole ? pages->chunks.erase(at) : std::next(at);
  }
}

void page_pool::drop_database(oid tablespace, oid database) {
  for (auto& [relation, pages] : relations_)
    if (relation.tablespace == tablespace && relation.database == database) drop_relation(relation);
}

bool page_pool::copy_database(oid tablespace, oid database, oid to_tablespace, oid to_database) {
  std::vector<relation_fork> sources;
  for (const auto& [relation, pages] : relations_)
    if (relation.tablespace == tablespace && relation.database == database) sources.push_back(relation);
  bool complete = true;
  for (const relation_fork& source : sources) {
    relation_fork copy = source;
    copy.tablespace = to_tablespace;
    copy.database = to_database;
    // Creating a relation moves none of the others.
    for (const auto& [number, blocks] : pages_of(source, false)->chunks)
      for (block_number i = 0; i < chunk_blocks; ++i) {
        if (!(*blocks)[i]) continue;
        if (page_bytes* page = make(copy, number * chunk_blocks + i))
          *page = *(*blocks)[i];
        else
          complete = false;
      }
  }
  return complete;
}

}  // namespace strata::pg::verify
